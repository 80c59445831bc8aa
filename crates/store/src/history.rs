//! Versions of objects, kept below `history/` so that a change can be looked at and taken back.
//!
//! The leader writes one record for each version that it sees, whoever wrote the object and by whatever
//! means. A version is `history/<Kind>/<namespace>/<name>/<revision>`, with the revision in 20 digits, so
//! that the folder of an object is sorted by age.

use biplane_core::key::ObjectKey;
use biplane_core::scalars::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::layout;
use crate::object::Revision;
use crate::records::HISTORY;

/// How many versions of an object are kept.
pub const KEPT: usize = 20;

/// One version of an object. It holds the value as it was stored, secrets included: whoever shows it
/// takes them out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// When the leader saw it.
    pub at: Timestamp,
    /// Who wrote it, where an intent says so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The object's text; `None`: it was deleted.
    pub value: Option<String>,
}

impl Default for Entry {
    fn default() -> Self {
        Self { at: Timestamp(0), author: String::new(), message: String::new(), value: None }
    }
}

/// Values may be secret.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("at", &self.at).field("author", &self.author).finish_non_exhaustive()
    }
}

impl Entry {
    /// The same without what cannot be kept: a comment says why, which is no object that anybody could go back to.
    #[must_use]
    pub fn unkept(self, why: &str) -> Self {
        Self { value: Some(format!("# this version is not kept: {why}\n")), ..self }
    }

    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("plain data").into()
    }

    /// From what is stored; `None`: not an entry that this version understands.
    pub fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}

/// The folder of an object's versions, for [`Records::read_below`](crate::records::Records::read_below).
pub fn folder(key: &ObjectKey) -> String {
    format!("{HISTORY}/{}/", layout::format_key(key))
}

/// The path of the version that was written at `revision`.
pub fn path(key: &ObjectKey, revision: Revision) -> String {
    format!("{}{:020}", folder(key), revision.0)
}

/// The object that a path of a version is about.
pub fn object(path: &str) -> Option<ObjectKey> {
    let below = path.strip_prefix(HISTORY)?.strip_prefix('/')?;
    layout::parse_key(below.rsplit_once('/')?.0).ok()
}

/// The revision that a path of a version ends with.
pub fn revision(path: &str) -> Option<Revision> {
    path.rsplit('/').next()?.parse().ok().map(Revision)
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    #[test]
    fn paths_sort_by_revision_and_tell_it() {
        let key = ObjectKey::new(Kind::Upstream, "edge", "u");
        let (older, newer) = (path(&key, Revision(9)), path(&key, Revision(10)));
        assert!(older < newer);
        assert_eq!(revision(&newer), Some(Revision(10)));
        assert!(newer.starts_with(&folder(&key)));
        assert_eq!(object(&newer), Some(key));
        assert_eq!(object("status/Upstream/edge/u/1"), None);
    }
}
