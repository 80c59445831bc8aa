//! How keys are spelled in stores that have keys: `<root>/config/<Kind>/<namespace>/<name>`, or as Gloo
//! spells them ([`Layout`]). Shared by every such backend, so that they all refuse the same keys with the
//! same words.

mod gloo;

use std::fmt;
use std::str::FromStr;

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::{Kind, ObjectKey, check_name};
use biplane_core::location::Location;

use crate::error::StoreError;
use crate::object::{Fault, FaultKind, Identity};

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

/// Who spelled the keys of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// `<root>/config/<Kind>/<namespace>/<name>`, with a sentinel.
    #[default]
    Biplane,
    /// `<root>/<group>/<version>/<Kind>/<namespace>/<name>`, as Gloo keeps its objects in Consul. It has no
    /// sentinel and no room for records of ours, and is only read.
    Gloo,
}

impl Layout {
    /// The root of a store that names none.
    pub const fn default_root(self) -> &'static str {
        match self {
            Self::Biplane => "biplane",
            Self::Gloo => "gloo",
        }
    }

    /// What stands between the root and the keys that are read: empty, or a folder with its `/`.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Biplane => "config/",
            Self::Gloo => "",
        }
    }

    /// Whether a sentinel marks the store; with one there is room for manifests and records too.
    pub const fn has_sentinel(self) -> bool {
        matches!(self, Self::Biplane)
    }

    /// The identity of a store without a sentinel: where it is found. `None`: the sentinel says it.
    pub fn identity(self, store: &str) -> Option<Identity> {
        match self {
            Self::Biplane => None,
            Self::Gloo => Some(Identity::new(format!("gloo layout at {store}"))),
        }
    }

    /// The part of an object's key below [`folder`](Self::folder).
    pub fn format(self, key: &ObjectKey) -> String {
        match self {
            Self::Biplane => format_key(key),
            Self::Gloo => gloo::format(key),
        }
    }

    /// The folder that an object lies in, below [`folder`](Self::folder): its key without the name.
    pub fn format_folder(self, kind: Kind, namespace: &str) -> String {
        match self {
            Self::Biplane => format!("{kind}/{namespace}"),
            Self::Gloo => gloo::format_folder(kind, namespace),
        }
    }

    /// What the part of a key below [`folder`](Self::folder) names. `None`: no object by design, and no
    /// mistake either (a mark, a folder that a web UI has made, what Gloo writes for itself). The error says what
    /// is wrong with it.
    pub fn parse(self, text: &str) -> Result<Option<ObjectKey>, String> {
        // The web UI of Consul makes a folder by writing an empty value under its name with a slash.
        if text.is_empty() || text.ends_with('/') {
            return Ok(None);
        }
        match self {
            Self::Biplane if is_mark(text) => Ok(None),
            Self::Biplane => parse_key(text).map(Some),
            Self::Gloo => gloo::parse(text),
        }
    }

    /// The fault of a key that [`parse`](Self::parse) refused.
    pub fn misplaced(self, location: Location, message: String) -> Fault {
        match self {
            Self::Biplane => misplaced_key(location, message),
            Self::Gloo => gloo::misplaced(location, message),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Biplane => "biplane",
            Self::Gloo => "gloo",
        })
    }
}

impl FromStr for Layout {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text {
            "biplane" => Ok(Self::Biplane),
            "gloo" => Ok(Self::Gloo),
            _ => Err(StoreError::invalid(format!("unknown layout {text:?}"))
                .with_hint("write layout=biplane or layout=gloo")),
        }
    }
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
    named(text, kind, namespace, name)
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

/// The object, if its names can be names.
fn named(text: &str, kind: Kind, namespace: &str, name: &str) -> Result<ObjectKey, String> {
    for (what, part) in [("namespace", namespace), ("name", name)] {
        check_name(part).map_err(|why| format!("key {text:?}: the {what} cannot be {part:?}: {why}"))?;
    }
    Ok(ObjectKey::new(kind, namespace, name))
}

/// The parts between slashes, if there are so many and each of them is something.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    let parts: Vec<_> = text.split('/').collect();
    parts.try_into().ok().filter(|parts: &[&str; N]| parts.iter().all(|part| !part.is_empty()))
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
    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for text in ["Gateway/../a", "Gateway/a/..", "Gateway/a b/c", "Gateway/./a"] {
            assert!(parse_key(text).is_err_and(|message| message.contains(text)), "{text}");
        }
    }

    #[test]
    fn marks_and_folders_of_a_web_ui_are_neither_objects_nor_mistakes() {
        for text in ["", SENTINEL, MANIFEST, "Gateway/", "Gateway/default/"] {
            assert_eq!(Layout::Biplane.parse(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn each_layout_parses_what_it_formats() {
        for layout in [Layout::Biplane, Layout::Gloo] {
            for kind in Kind::ALL {
                let key = ObjectKey::new(kind, "edge", "a.b-c~d");
                let text = layout.format(&key);
                assert!(text.starts_with(&format!("{}/", layout.format_folder(kind, "edge"))), "{text}");
                assert_eq!(layout.parse(&text), Ok(Some(key)));
            }
            assert_eq!(layout.to_string().parse(), Ok(layout));
        }
    }

    #[test]
    fn an_unknown_layout_is_refused_with_the_known_ones() {
        let error = "glue".parse::<Layout>().unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("gloo")), "{error:?}");
    }
}
