//! Where a store's keys are, and what the key-values below `config/` are to its readers.

use std::sync::Arc;

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::layout::{self, CONFIG, Layout, MANIFEST, SENTINEL};
use biplane_store::records::LEADER;
use biplane_store::sentinel::{self, Sentinel};
use biplane_store::{Fault, Identity, Revision, StoreError, StoredObject};

use crate::raw::Raw;

/// The names of one store's keys.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// What `--store` takes.
    pub(crate) name: Arc<str>,
    /// The root with a slash behind it.
    pub(crate) root: String,
    /// The folder of objects with a slash behind it.
    pub(crate) config: String,
    pub(crate) sentinel: String,
    pub(crate) manifest: String,
    pub(crate) leader: String,
}

/// What lies at a key below `config/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Object(StoredObject),
    Broken(Fault),
    /// A mark, or what a tool needs to show a folder.
    Nothing,
}

impl Place {
    pub(crate) fn new(name: String, root: &str) -> Self {
        let config = format!("{root}/{CONFIG}/");
        Self {
            name: name.into(),
            root: format!("{root}/"),
            sentinel: format!("{config}{SENTINEL}"),
            manifest: format!("{config}{MANIFEST}"),
            leader: format!("{root}/{LEADER}"),
            config,
        }
    }

    /// The key of an object.
    pub(crate) fn object(&self, key: &ObjectKey) -> String {
        format!("{}{}", self.config, layout::format_key(key))
    }

    /// The key of a record.
    pub(crate) fn record(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// What a key-value below `config/` is.
    pub(crate) fn entry(&self, raw: &Raw) -> Entry {
        match self.parse(&raw.key) {
            Err(message) => Entry::Broken(layout::misplaced_key(self.location(raw), message)),
            Ok(None) => Entry::Nothing,
            Ok(Some(key)) if raw.value.len() > MAX_OBJECT => {
                Entry::Broken(layout::too_large(self.location(raw), key, raw.value.len()))
            }
            Ok(Some(key)) => Entry::Object(StoredObject {
                key,
                value: raw.value.clone(),
                location: self.location(raw),
                revision: Revision(raw.revision),
                created: Some(raw.created),
            }),
        }
    }

    /// The object that a key names, if it has to name one, or what is wrong with it.
    pub(crate) fn parse(&self, key: &[u8]) -> Result<Option<ObjectKey>, String> {
        let below = key.strip_prefix(self.config.as_bytes()).unwrap_or(key);
        let text = std::str::from_utf8(below)
            .map_err(|_| format!("key {:?} is not UTF-8", String::from_utf8_lossy(below)))?;
        Layout::Biplane.parse(text)
    }

    pub(crate) fn location(&self, raw: &Raw) -> Location {
        Location::Key {
            store: self.name.clone(),
            key: String::from_utf8_lossy(&raw.key).into(),
            revision: raw.revision,
        }
    }

    /// Which store the sentinel names.
    pub(crate) fn identity(&self, sentinel: Option<&Raw>) -> Result<Identity, StoreError> {
        let raw = sentinel.ok_or_else(|| self.unmarked())?;
        Ok(Sentinel::decode(&raw.value, &self.sentinel)?.identity())
    }

    /// The error of a store whose sentinel does not show.
    pub(crate) fn unmarked(&self) -> StoreError {
        sentinel::missing(&self.sentinel, &self.name)
    }
}

/// The first key behind all keys that begin with a prefix that ends with a slash.
pub(crate) fn behind(prefix: &str) -> Vec<u8> {
    let folder = prefix.strip_suffix('/').expect("folders end with a slash");
    // The byte after the slash.
    [folder.as_bytes(), b"0"].concat()
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use biplane_store::FaultKind;

    use super::*;

    fn place() -> Place {
        Place::new("etcd://h:2379/r".to_owned(), "r")
    }

    fn raw(key: &[u8], bytes: usize) -> Raw {
        Raw { key: key.to_vec(), value: vec![b' '; bytes].into(), created: 3, revision: 7 }
    }

    #[test]
    fn a_key_of_an_object_is_that_object() {
        let key = ObjectKey::new(Kind::Upstream, "default", "a");
        let raw = raw(place().object(&key).as_bytes(), 1);
        assert_eq!(raw.key, b"r/config/Upstream/default/a");
        let Entry::Object(object) = place().entry(&raw) else { panic!("no object") };
        assert_eq!((object.key, object.revision, object.created), (key, Revision(7), Some(3)));
    }

    #[test]
    fn what_names_no_object_or_is_too_large_is_a_fault_at_its_key() {
        for (key, bytes, kind) in [
            (&b"r/config/Upstreem/default/a"[..], 1, FaultKind::Unidentified),
            (b"r/config/Upstream/default/\xff", 1, FaultKind::Unidentified),
            (b"r/config/Upstream/default/a", MAX_OBJECT + 1, FaultKind::TooLarge),
        ] {
            let Entry::Broken(fault) = place().entry(&raw(key, bytes)) else { panic!("no fault") };
            assert_eq!(fault.kind, kind, "{fault}");
        }
    }

    #[test]
    fn marks_and_folders_of_tools_are_nothing() {
        for key in [&b"r/config/_store"[..], b"r/config/_batch", b"r/config/Upstream/", b"r/config/"] {
            assert_eq!(place().entry(&raw(key, 0)), Entry::Nothing);
        }
    }

    #[test]
    fn behind_a_folder_comes_nothing_that_is_in_it() {
        let end = behind("r/config/");
        assert!(b"r/config/\xff\xff".as_slice() < &end[..]);
        assert!(b"r/config".as_slice() < b"r/config/".as_slice());
        assert!(b"r/config1".as_slice() > &end[..]);
    }
}
