//! How keys are spelled in stores that have keys: `<root>/config/<Kind>/<namespace>/<name>`.
//! Shared by every such backend, so that they all refuse the same keys with the same words.

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;

use crate::error::StoreError;
use crate::object::{Fault, FaultKind};

/// The folder below a store's root that holds what users write.
pub const CONFIG: &str = "config";

/// The key below `config/` that marks a prefix as a Biplane store; it is no object.
pub const SENTINEL: &str = "_store";

/// The key below `config/` of the manifest of a batch that is applied in several steps; it is no object.
pub const MANIFEST: &str = "_batch";

/// What to do about values that are too large.
const SPLIT: &str = "split it: a virtual service may delegate to route tables";

/// Whether the part of a key below `config/` is one of Biplane's own marks, which are neither objects nor faults.
pub fn is_mark(text: &str) -> bool {
    text == SENTINEL || text == MANIFEST
}

/// The part of a key below `config/`: `<Kind>/<namespace>/<name>`.
pub fn format_key(key: &ObjectKey) -> String {
    format!("{}/{}/{}", key.kind, key.namespace, key.name)
}

/// The object that the part of a key below `config/` names; the error says what is wrong with it.
pub fn parse_key(text: &str) -> Result<ObjectKey, String> {
    let [kind, namespace, name] =
        parts(text).ok_or_else(|| format!("key {text:?} is not <Kind>/<namespace>/<name>"))?;
    let kind: Kind = kind.parse().map_err(|unknown| format!("key {text:?}: {unknown}"))?;
    Ok(ObjectKey::new(kind, namespace, name))
}

/// The fault of a key that names no object.
pub fn misplaced_key(location: Location, message: String) -> Fault {
    let kinds = Kind::ALL.map(Kind::as_str).join(", ");
    Fault::new(FaultKind::Unidentified, location, message)
        .hint(format!("move it to <Kind>/<namespace>/<name>, with one of the kinds {kinds}"))
}

/// The fault of a value that is larger than any document that is read. What its object was before stays.
pub fn too_large(location: Location, key: ObjectKey, bytes: usize) -> Fault {
    let message = format!("the value has {bytes} bytes, more than the {MAX_OBJECT} that are read");
    Fault::new(FaultKind::TooLarge, location, message).of(key).hint(SPLIT)
}

/// The refusal to write such a value.
pub fn too_large_to_write(key: &ObjectKey, bytes: usize) -> StoreError {
    StoreError::invalid(format!("{key} has {bytes} bytes, more than the {MAX_OBJECT} that are read"))
        .with_hint(SPLIT)
}

fn parts(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.split('/');
    let found = [parts.next()?, parts.next()?, parts.next()?];
    (parts.next().is_none() && found.iter().all(|part| !part.is_empty())).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_key_parses_to_itself() {
        let key = ObjectKey::new(Kind::RouteTable, "edge", "a.b-c~d");
        assert_eq!(parse_key(&format_key(&key)), Ok(key));
    }

    #[test]
    fn a_key_with_too_few_or_too_many_parts_is_refused() {
        for text in ["Gateway", "Gateway/a", "Gateway/a/b/c", "Gateway//b", "/a/b", "Gateway/a/"] {
            assert!(parse_key(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_kind_is_named() {
        assert!(parse_key("Gatewey/a/b").is_err_and(|message| message.contains("Gatewey")));
    }
}
