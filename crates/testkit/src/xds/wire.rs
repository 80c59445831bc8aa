//! Protobuf's wire form, as much of it as xDS messages need.

use anyhow::{Context, Result, bail};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Writes fields one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer {
    buffer: BytesMut,
}

impl Writer {
    /// A string, unless it is empty: the default is not written.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// A nested message, written by `body`.
    pub(super) fn message(&mut self, field: u32, body: impl FnOnce(&mut Self)) {
        let mut nested = Self::default();
        body(&mut nested);
        self.bytes(field, &nested.buffer);
    }

    /// A string or a message, even if it is empty.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field << 3 | 2));
        self.varint(bytes.len() as u64);
        self.buffer.put_slice(bytes);
    }

    /// A number.
    pub(super) fn number(&mut self, field: u32, number: u64) {
        self.varint(u64::from(field << 3));
        self.varint(number);
    }

    /// What was written.
    pub(super) fn finish(self) -> Bytes {
        self.buffer.freeze()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buffer.put_u8(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value.to_le_bytes()[0]);
    }
}

/// Reads the fields that have a length; steps over all others.
#[derive(Debug)]
pub(super) struct Fields {
    rest: Bytes,
}

impl Fields {
    /// The fields of one message. Nothing is copied.
    pub(super) fn of(message: &Bytes) -> Self {
        Self { rest: message.clone() }
    }

    /// The next string, bytes or message with its field number.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Bytes)>> {
        while self.rest.has_remaining() {
            let key = self.varint()?;
            let field = u32::try_from(key >> 3).context("a field number")?;
            match key & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = usize::try_from(self.varint()?).context("a length")?;
                    return Ok(Some((field, self.take(length)?)));
                }
                5 => drop(self.take(4)?),
                other => bail!("wire type {other} of field {field}"),
            }
        }
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Result<Bytes> {
        anyhow::ensure!(length <= self.rest.remaining(), "the message breaks off");
        Ok(self.rest.split_to(length))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            anyhow::ensure!(self.rest.has_remaining(), "the message breaks off");
            let byte = self.rest.get_u8();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("a number of more than 64 bits")
    }
}

/// A string field's text.
pub(super) fn text(bytes: &Bytes) -> Result<String> {
    String::from_utf8(bytes.to_vec()).context("a string is UTF-8")
}
