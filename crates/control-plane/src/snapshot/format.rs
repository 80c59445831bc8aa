//! The text of one edition: `biplane-snapshot 1 <sha-256> <count> <store>` and one JSON line an object.
//! The store is named so that an edition is never served for another one.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_store::{Revision, StoredObject};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::seal::SealingKey;

const MAGIC: &str = "biplane-snapshot";
/// Raised when an older reader could not read the file.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Line {
    key: ObjectKey,
    place: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Nonce, ciphertext and tag in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Place {
    File { path: String, line: u32 },
    Key { store: String, key: String, revision: u64 },
}

/// The text of an edition. An object that cannot be sealed is left out and said so: nothing secret
/// is ever written in the clear.
pub(super) fn write<'a>(
    objects: impl Iterator<Item = &'a StoredObject>,
    store: &str,
    key: &SealingKey,
) -> String {
    let mut body = String::new();
    let mut count = 0;
    for object in objects {
        let Some(line) = line(object, key) else {
            warn!(object = %object.key, "not kept in the snapshot on disk");
            continue;
        };
        body.push_str(&serde_json::to_string(&line).expect("plain data becomes JSON"));
        body.push('\n');
        count += 1;
    }
    format!("{MAGIC} {FORMAT} {} {count} {store}\n{body}", hex(digest(&SHA256, body.as_bytes()).as_ref()))
}

fn line(object: &StoredObject, key: &SealingKey) -> Option<Line> {
    let (value, sealed) = if object.key.kind == Kind::Secret {
        (None, Some(hex(&key.seal(&object.key.to_string(), &object.value)?)))
    } else {
        (Some(String::from_utf8(object.value.to_vec()).ok()?), None)
    };
    Some(Line {
        key: object.key.clone(),
        place: place(&object.location),
        created: object.created,
        value,
        sealed,
    })
}

/// The objects of an edition. One that cannot be opened costs only itself.
pub(super) fn read(text: &str, store: &str, key: &SealingKey) -> Result<Vec<StoredObject>, &'static str> {
    let (header, body) = text.split_once('\n').ok_or("it has no header")?;
    let fields: Vec<_> = header.splitn(5, ' ').collect();
    let [MAGIC, format, sum, count, of] = fields.as_slice() else {
        return Err("it is not a snapshot of Biplane");
    };
    if *of != store {
        return Err("it was taken of another store");
    }
    if *format != FORMAT.to_string() {
        return Err("its format is of another version of Biplane");
    }
    if *sum != hex(digest(&SHA256, body.as_bytes()).as_ref()) || *count != body.lines().count().to_string() {
        return Err("its digest does not match: it was cut short or altered");
    }
    let lines: Result<Vec<Line>, _> = body.lines().map(serde_json::from_str).collect();
    let lines = lines.map_err(|_| "a line is malformed")?;
    Ok(lines.into_iter().filter_map(|line| stored(line, key)).collect())
}

fn stored(line: Line, key: &SealingKey) -> Option<StoredObject> {
    let name = line.key.to_string();
    let opened = || key.open(&name, &unhex(line.sealed.as_deref()?)?);
    let Some(value) = line.value.map(String::into_bytes).or_else(opened) else {
        warn!(object = name, "cannot be opened with this sealing key, and is not restored");
        return None;
    };
    let location = match line.place {
        Place::File { path, line } => Location::file(path, line),
        Place::Key { store, key, revision } => {
            Location::Key { store: store.into(), key: key.into(), revision }
        }
    };
    Some(StoredObject {
        key: line.key,
        value: Bytes::from(value),
        location,
        revision: Revision::default(),
        created: line.created,
    })
}

fn place(location: &Location) -> Place {
    match location {
        Location::File { path, line } => Place::File { path: path.to_string(), line: *line },
        Location::Key { store, key, revision } => {
            Place::Key { store: store.to_string(), key: key.to_string(), revision: *revision }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
