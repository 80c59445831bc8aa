//! Protobuf encoding with one byte string for one meaning.
//!
//! `prost` writes the fields of a message in the order of their numbers, but the entries of a map
//! in the order of a `HashMap`, which differs from run to run. [`canonical`] sorts them by key, in
//! place: putting the entries of one map in another order changes no length, so nothing moves but
//! the entries. It descends into messages and into `Any` (by its type URL), and only where the
//! [`table`] says that a map can be below; a message without maps costs one look-up.
//!
//! Invariant: equal content gives equal bytes in every process, on every machine, in every version of
//! Biplane with the same table.

mod table;
mod wire;

use std::ops::Range;

use bytes::Bytes;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use table::{Below, Index};

/// The canonical encoding of `message`, whose full name is `message_name`.
pub fn canonical(message_name: &str, message: &impl Message) -> Bytes {
    let mut bytes = message.encode_to_vec();
    sort_maps(message_name, &mut bytes);
    bytes.into()
}

/// An `Any` that holds the canonical encoding of `message`.
pub fn any<M: Message + Name>(message: &M) -> Any {
    let name = M::full_name();
    let mut value = message.encode_to_vec();
    sort_maps(&name, &mut value);
    Any { type_url: format!("{TYPE_URL_PREFIX}{name}"), value }
}

/// What stands in front of a message's name in the type URL of an `Any`.
pub const TYPE_URL_PREFIX: &str = "type.googleapis.com/";

/// Sorts the entries of every map in the encoding of the message named `message_name`.
///
/// Bytes that are no such message (an `Any` that somebody else wrote, say) stay as they are from
/// the place on where they stop making sense.
pub fn sort_maps(message_name: &str, bytes: &mut [u8]) {
    if let Some(below) = table::find(message_name) {
        sort_below(below, bytes);
    }
}

/// `None`: the bytes stopped making sense.
fn sort_below(below: Below, bytes: &mut [u8]) -> Option<()> {
    match below {
        Below::Nothing => Some(()),
        Below::Any => sort_any(bytes),
        Below::Message(index) => sort_message(index, bytes),
    }
}

fn sort_any(bytes: &mut [u8]) -> Option<()> {
    let (mut below, mut at) = (None, 0);
    while at < bytes.len() {
        let field = wire::field(bytes, at)?;
        match field.number {
            // The type URL: prost and every other writer put it in front of the value.
            1 => {
                let url = std::str::from_utf8(&bytes[field.payload]).ok()?;
                below = table::find(url.rsplit_once('/').map_or(url, |(_, name)| name));
            }
            // A message without maps, or one that the table does not know, stays as it is.
            2 => below.map_or(Some(()), |below| sort_below(below, &mut bytes[field.payload]))?,
            _ => {}
        }
        at = field.end;
    }
    Some(())
}

fn sort_message(index: Index, bytes: &mut [u8]) -> Option<()> {
    let message = table::message(index);
    let mut at = 0;
    while at < bytes.len() {
        let field = wire::field(bytes, at)?;
        at = field.end;
        match message.field(field.number) {
            Some(_) if !field.delimited => return None,
            Some(shape) if shape.map => at = sort_entries(shape.below, field.number, field.start, bytes)?,
            Some(shape) => sort_below(shape.below, &mut bytes[field.payload])?,
            None => {}
        }
    }
    Some(())
}

/// One entry of a map: the whole of it with its tag, and its key.
struct Entry {
    whole: Range<usize>,
    key: Range<usize>,
}

/// Sorts the run of entries of field `number` that begins at `start`; answers where it ends. prost
/// writes all entries of a map one behind the other.
fn sort_entries(below: Below, number: u32, start: usize, bytes: &mut [u8]) -> Option<usize> {
    let (mut entries, mut end) = (Vec::new(), start);
    while end < bytes.len() {
        let field = wire::field(bytes, end)?;
        if field.number != number || !field.delimited {
            break;
        }
        sort_below(below, &mut bytes[field.payload.clone()])?;
        entries.push(Entry { whole: field.start..field.end, key: key(bytes, field.payload)? });
        end = field.end;
    }
    write_in_order(entries, start, bytes);
    Some(end)
}

/// The key of a map entry; prost leaves a default key (an empty string) out.
fn key(bytes: &[u8], entry: Range<usize>) -> Option<Range<usize>> {
    let mut at = entry.start;
    while at < entry.end {
        let field = wire::field(&bytes[..entry.end], at)?;
        if field.number == 1 {
            return Some(field.payload);
        }
        at = field.end;
    }
    Some(entry.start..entry.start)
}

fn write_in_order(mut entries: Vec<Entry>, start: usize, bytes: &mut [u8]) {
    if entries.is_sorted_by_key(|entry| &bytes[entry.key.clone()]) {
        return;
    }
    entries.sort_by(|a, b| bytes[a.key.clone()].cmp(&bytes[b.key.clone()]));
    let sorted: Vec<u8> = entries.iter().flat_map(|entry| &bytes[entry.whole.clone()]).copied().collect();
    bytes[start..start + sorted.len()].copy_from_slice(&sorted);
}

#[cfg(test)]
mod tests;
