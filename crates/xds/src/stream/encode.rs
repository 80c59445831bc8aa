//! Responses as bytes. Nearly all of one is shared with every other client: the entries were framed
//! when the resources were made, and repeated fields may be written one by one in any order.
//! Only the short tail, with the nonce, is a response's own.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::resource::{Resource, ResourceType, Version, text};

/// A response, ready to be written: its chunks, one after the other, are the message.
#[derive(Clone, Debug)]
pub struct Response {
    /// The type that it is for.
    pub kind: ResourceType,
    /// What the client answers with.
    pub nonce: String,
    /// The message in pieces.
    pub chunks: Vec<Bytes>,
    /// How many resources it holds.
    pub resources: usize,
    /// How many names it says are gone.
    pub removed: usize,
}

impl Response {
    /// The length of the message.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing in it, which no response of a stream is.
    pub fn is_empty(&self) -> bool {
        self.chunks.iter().all(Bytes::is_empty)
    }

    /// The message in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut buffer = BytesMut::with_capacity(self.len());
        for chunk in &self.chunks {
            buffer.extend_from_slice(chunk);
        }
        buffer.freeze()
    }
}

/// Length-delimited fields of the two responses.
const VERSION: u8 = 1 << 3 | 2;
const TYPE_URL: u8 = 4 << 3 | 2;
const NONCE: u8 = 5 << 3 | 2;
const REMOVED_RESOURCES: u8 = 6 << 3 | 2;

/// A delta response.
pub(super) fn delta(
    kind: ResourceType,
    nonce: u64,
    generation: u64,
    resources: &[Arc<Resource>],
    removed: &[Arc<str>],
) -> Response {
    let nonce = nonce.to_string();
    let mut tail = tail(kind, &nonce, &generation.to_string());
    for name in removed {
        text(&mut tail, REMOVED_RESOURCES, name);
    }
    let mut chunks: Vec<_> = resources.iter().flat_map(|resource| resource.delta_entry()).collect();
    chunks.push(tail.freeze());
    Response { kind, nonce, chunks, resources: resources.len(), removed: removed.len() }
}

/// A state-of-the-world response. Its version is a hash of all that it holds.
pub(super) fn sotw<'a>(
    kind: ResourceType,
    nonce: u64,
    resources: impl Iterator<Item = &'a Arc<Resource>>,
    removed: usize,
) -> Response {
    let (mut chunks, mut versions) = (Vec::new(), Vec::new());
    for resource in resources {
        chunks.extend(resource.sotw_entry());
        versions.extend(resource.version.to_u64().to_be_bytes());
    }
    let nonce = nonce.to_string();
    chunks.push(tail(kind, &nonce, &Version::of(&versions).to_string()).freeze());
    Response { kind, nonce, chunks, resources: versions.len() / 8, removed }
}

fn tail(kind: ResourceType, nonce: &str, version: &str) -> BytesMut {
    let mut tail = BytesMut::with_capacity(128);
    text(&mut tail, VERSION, version);
    text(&mut tail, TYPE_URL, kind.type_url());
    text(&mut tail, NONCE, nonce);
    tail
}

/// A load assignment without endpoints: the only way to take a client's endpoints away.
pub(super) fn drained(name: &crate::resource::ResourceName) -> Resource {
    const CLUSTER_NAME: u8 = 1 << 3 | 2;
    let mut body = BytesMut::new();
    text(&mut body, CLUSTER_NAME, &name.name);
    Resource::new(name.clone(), body.freeze(), [], [])
}
