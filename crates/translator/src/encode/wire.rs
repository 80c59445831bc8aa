//! The protobuf wire format, as far as finding the fields of a message needs it.

use std::ops::Range;

/// One field of an encoded message, by its place in the bytes.
pub(super) struct Field {
    /// The field's number.
    pub(super) number: u32,
    /// Whether it carries its length: a message, a string, bytes.
    pub(super) delimited: bool,
    /// Where its tag begins.
    pub(super) start: usize,
    /// The value, without tag and length.
    pub(super) payload: Range<usize>,
    /// Where the next field begins.
    pub(super) end: usize,
}

/// The field whose tag begins at `start`; `None`: there is none that makes sense.
pub(super) fn field(bytes: &[u8], start: usize) -> Option<Field> {
    let (tag, at) = varint(bytes, start)?;
    let number = u32::try_from(tag >> 3).ok()?;
    let payload = match tag & 7 {
        0 => at..varint(bytes, at)?.1,
        1 => at..at.checked_add(8)?,
        5 => at..at.checked_add(4)?,
        2 => {
            let (length, at) = varint(bytes, at)?;
            at..at.checked_add(usize::try_from(length).ok()?)?
        }
        _ => return None,
    };
    let end = payload.end;
    (end <= bytes.len()).then_some(Field { number, delimited: tag & 7 == 2, start, payload, end })
}

/// The number that begins at `start`, and where it ends.
fn varint(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (place, byte) in bytes.get(start..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, start + place + 1));
        }
    }
    None
}
