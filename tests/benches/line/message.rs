//! Delta discovery messages on gRPC's wire, as far as a benchmark looks at them: split, read, written. Bodies of
//! resources are never looked into, so that watching a message costs little more than passing it on.

use biplane_testkit::xds::Resource;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The compression flag and the length before each message.
const PREFIX: usize = 5;

/// Field numbers of `DeltaDiscoveryRequest`.
mod request {
    pub(super) const TYPE_URL: u64 = 2;
    pub(super) const SUBSCRIBE: u64 = 3;
    pub(super) const NONCE: u64 = 6;
    pub(super) const ERROR: u64 = 7;
}

/// Field numbers of `DeltaDiscoveryResponse` and its `Resource`.
mod response {
    pub(super) const RESOURCES: u64 = 2;
    pub(super) const TYPE_URL: u64 = 4;
    pub(super) const NONCE: u64 = 5;
    pub(super) const REMOVED: u64 = 6;
    pub(super) const RESOURCE_VERSION: u64 = 1;
    pub(super) const RESOURCE_ANY: u64 = 2;
    pub(super) const RESOURCE_NAME: u64 = 3;
}

/// Who has said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The client.
    Envoy,
    /// The control plane.
    Server,
}

/// What a message says, without its resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The type that it is about.
    pub(crate) type_url: String,
    /// The response that it is or that it answers; empty in a request that answers none.
    pub(crate) nonce: String,
    /// The names that a request asks for.
    pub(crate) subscribe: Vec<String>,
    /// Whether a request refuses.
    pub(crate) refused: bool,
    /// The length of the message.
    pub(crate) size: usize,
}

impl Head {
    /// Reads what `side` has sent.
    pub(crate) fn read(side: Side, message: &[u8]) -> Self {
        let mut head = Self { size: message.len(), ..Self::default() };
        let mut rest = message;
        while let Some((field, bytes)) = take(&mut rest) {
            match (side, field) {
                (Side::Envoy, request::TYPE_URL) | (Side::Server, response::TYPE_URL) => {
                    head.type_url = text(bytes);
                }
                (Side::Envoy, request::NONCE) | (Side::Server, response::NONCE) => head.nonce = text(bytes),
                (Side::Envoy, request::SUBSCRIBE) => head.subscribe.push(text(bytes)),
                (Side::Envoy, request::ERROR) => head.refused = true,
                _ => {}
            }
        }
        head
    }
}

/// Puts the messages of a stream together again.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    received: BytesMut,
}

impl Splitter {
    /// Takes what came in; gives the messages that are whole now.
    pub(crate) fn push(&mut self, data: &[u8]) -> Vec<Bytes> {
        self.received.extend_from_slice(data);
        std::iter::from_fn(|| self.whole()).collect()
    }

    fn whole(&mut self) -> Option<Bytes> {
        let mut length = self.received.get(1..PREFIX)?;
        let length = length.get_u32() as usize;
        if self.received.len() < PREFIX + length {
            return None;
        }
        self.received.advance(PREFIX);
        Some(self.received.split_to(length).freeze())
    }
}

/// A response without its nonce: made once, sent as often as needed.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The type that it is about.
    pub(crate) type_url: String,
    body: Bytes,
}

impl Prepared {
    /// A response with these resources, which says of `absent` that they do not exist.
    pub(crate) fn new<'a>(
        type_url: &str,
        resources: impl IntoIterator<Item = &'a Resource>,
        absent: &[String],
    ) -> Self {
        let mut body = BytesMut::new();
        resources.into_iter().for_each(|one| put(&mut body, response::RESOURCES, &resource(one)));
        put(&mut body, response::TYPE_URL, type_url.as_bytes());
        for name in absent {
            put(&mut body, response::REMOVED, name.as_bytes());
        }
        Self { type_url: type_url.to_owned(), body: body.freeze() }
    }

    /// The gRPC message in pieces, none of them a copy of the resources; and its length.
    pub(crate) fn with_nonce(&self, nonce: &str) -> ([Bytes; 3], usize) {
        let mut tail = BytesMut::new();
        put(&mut tail, response::NONCE, nonce.as_bytes());
        let size = self.body.len() + tail.len();
        let mut prefix = BytesMut::with_capacity(PREFIX);
        prefix.put_u8(0);
        prefix.put_u32(u32::try_from(size).expect("a response is smaller than 4 GiB"));
        ([prefix.freeze(), self.body.clone(), tail.freeze()], size)
    }
}

fn resource(resource: &Resource) -> BytesMut {
    let mut entry = BytesMut::new();
    put(&mut entry, response::RESOURCE_VERSION, resource.version.as_bytes());
    if let Some(any) = &resource.any {
        put(&mut entry, response::RESOURCE_ANY, any);
    }
    put(&mut entry, response::RESOURCE_NAME, resource.name.as_bytes());
    entry
}

fn put(buffer: &mut BytesMut, field: u64, bytes: &[u8]) {
    put_varint(buffer, field << 3 | 2);
    put_varint(buffer, bytes.len() as u64);
    buffer.put_slice(bytes);
}

fn put_varint(buffer: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        buffer.put_u8(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value.to_le_bytes()[0]);
}

/// The next field that has a length; numbers are stepped over, and discovery's own messages have no others.
fn take<'a>(rest: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    loop {
        let key = varint(rest)?;
        let value = varint(rest)?;
        if key & 7 == 2 {
            let (bytes, after) = rest.split_at_checked(usize::try_from(value).ok()?)?;
            *rest = after;
            return Some((key >> 3, bytes));
        }
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
