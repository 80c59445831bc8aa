//! Intents: a note that whoever writes through Biplane leaves in the same step, at `meta/intents/<id>`,
//! saying who changed what and why. The shrink guard lets deletions pass that an intent names, so that a
//! meant bulk delete needs no second word, and history knows authors from them.
//!
//! Invariant: an intent covers a deletion only of a version that is older than the intent: an object that
//! was made anew since is not covered, whatever its name.

mod known;

use std::collections::BTreeMap;

use biplane_core::key::ObjectKey;
use biplane_core::scalars::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Write};
use crate::clock;
use crate::layout;
use crate::object::Revision;
use crate::records::{META, RecordWrite};

pub use known::{Known, MOST, MOST_BYTES};

/// The most bytes of keys that one intent names: a step of any store takes it, with room for what goes along.
const LARGEST: usize = 64 * 1024;
/// What a key takes beside its bytes: quotation marks and a comma.
const BESIDE: usize = 3;
/// What a version takes beside its key: its digits, and marks around them.
const BESIDE_VERSION: usize = 24;

/// Who writes, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Author {
    /// Who: a user, a token's name, a program.
    pub name: String,
    /// What for, in one line; may be empty.
    pub message: String,
}

/// What one batch meant to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Who, and why.
    #[serde(flatten)]
    pub author: Author,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// What it wrote: `<Kind>/<namespace>/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub puts: Vec<String>,
    /// What it deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<String>,
    /// What of a store that looked wrong an operator has accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Acceptance>,
}

/// An operator's word that a store is meant to be as it shows itself. In a store that was replaced or taken back
/// the revisions of before mean nothing, so the versions that may be let go are named one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Acceptance {
    /// The store that the word is about.
    pub identity: String,
    /// By object, `<Kind>/<namespace>/<name>`: the revision of the version that was in use until then.
    pub versions: BTreeMap<String, u64>,
}

impl Intent {
    /// The intents of a batch that has an author, in the order in which they are to be written: after what they
    /// name, or with the last of it.
    pub fn parts(batch: &Batch) -> Vec<Self> {
        Self::of(batch).map_or_else(Vec::new, Self::split)
    }

    /// The same in as many intents as it takes for every store to take each of them.
    pub fn split(mut self) -> Vec<Self> {
        let words = self.take_words();
        let (mut parts, mut bytes) = (vec![self.clone()], 0);
        for word in words {
            bytes += word.bytes();
            if bytes > LARGEST {
                bytes = word.bytes();
                parts.push(self.clone());
            }
            parts.last_mut().expect("there is a first one").say(word);
        }
        let says_nothing = |accepts: &mut Acceptance| accepts.versions.is_empty();
        for part in &mut parts {
            part.accepts.take_if(says_nothing);
        }
        parts
    }

    /// What it says of each object, and nothing more of any.
    fn take_words(&mut self) -> Vec<Word> {
        let accepted = self.accepts.as_mut().map(|accepts| std::mem::take(&mut accepts.versions));
        let mut accepted = accepted.unwrap_or_default();
        let word = |verb| move |key: String| Word { verb, version: None, key };
        let puts = std::mem::take(&mut self.puts).into_iter().map(word(Verb::Put));
        let deletes = std::mem::take(&mut self.deletes).into_iter().map(word(Verb::Delete));
        let mut words: Vec<_> = puts.chain(deletes).collect();
        for word in &mut words {
            word.version = accepted.remove(&word.key);
        }
        let beside = |(key, version)| Word { verb: Verb::Accept, version: Some(version), key };
        words.extend(accepted.into_iter().map(beside));
        words
    }

    fn say(&mut self, Word { verb, version, key }: Word) {
        if let Some(version) = version {
            self.accepts.get_or_insert_default().versions.insert(key.clone(), version);
        }
        match verb {
            Verb::Put => self.puts.push(key),
            Verb::Delete => self.deletes.push(key),
            Verb::Accept => {}
        }
    }

    /// The write that leaves it in a store.
    pub fn record(&self) -> RecordWrite {
        RecordWrite::put(path(self.at), self.encode())
    }

    /// The intent of a batch that has an author.
    fn of(batch: &Batch) -> Option<Self> {
        let author = batch.author.clone()?;
        let (deletes, puts): (Vec<_>, Vec<_>) =
            batch.operations.iter().partition(|operation| operation.write == Write::Delete);
        let keys = |operations: Vec<&crate::batch::Operation>| {
            operations.into_iter().map(|operation| layout::format_key(&operation.key)).collect()
        };
        Some(Self { author, at: clock::now(), puts: keys(puts), deletes: keys(deletes), accepts: None })
    }

    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("plain data").into()
    }

    /// From what is stored; `None`: not an intent that this version understands.
    pub fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    /// Whether this intent, which was written at `revision`, means the deletion of an object that last changed
    /// at `changed`.
    pub fn covers(&self, revision: Revision, key: &ObjectKey, changed: Revision) -> bool {
        changed < revision && self.deletes.contains(&layout::format_key(key))
    }
}

/// What an intent says of one object.
#[derive(Debug)]
struct Word {
    verb: Verb,
    /// The version that is accepted.
    version: Option<u64>,
    key: String,
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Put,
    Delete,
    Accept,
}

impl Word {
    fn bytes(&self) -> usize {
        let version = self.version.map_or(0, |_| self.key.len() + BESIDE_VERSION);
        self.key.len() + BESIDE + version
    }
}

/// The folder of intents.
pub fn folder() -> String {
    format!("{META}/intents/")
}

/// A path for a new intent. The time in front sorts the folder by age.
pub fn path(at: Timestamp) -> String {
    format!("{META}/intents/{:012}-{}", at.0, crate::sentinel::random_id())
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;
    use crate::batch::Precondition;

    #[test]
    fn a_large_batch_is_meant_in_parts_that_every_store_takes() {
        let key = |n: usize| ObjectKey::new(Kind::VirtualService, "a-namespace", format!("a-service-{n:05}"));
        let batch = (0..5000).fold(Batch::new(), |batch, n| batch.put(key(n), "", Precondition::Any));
        let batch = (5000..10_000).fold(batch, |batch, n| batch.delete(key(n), Precondition::Any));
        let author = Author { name: "ann".to_owned(), message: "moving".to_owned() };
        let parts = Intent::parts(&batch.by(author.clone()));
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| part.author == author && part.encode().len() < LARGEST + 1024));
        let named = |of: fn(&Intent) -> &[String]| parts.iter().flat_map(of).cloned().collect::<Vec<_>>();
        let (puts, deletes) = (named(|part| &part.puts), named(|part| &part.deletes));
        assert_eq!(puts, (0..5000).map(|n| layout::format_key(&key(n))).collect::<Vec<_>>());
        assert_eq!(deletes, (5000..10_000).map(|n| layout::format_key(&key(n))).collect::<Vec<_>>());
    }

    #[test]
    fn parts_of_a_large_acceptance_carry_the_versions_of_what_they_name() {
        let deletes: Vec<_> =
            (0..5000).map(|n| format!("VirtualService/a-namespace/a-service-{n:05}")).collect();
        let versions = deletes.iter().map(|key| (key.clone(), u64::MAX)).collect();
        let accepts = Some(Acceptance { identity: "a".to_owned(), versions });
        let whole =
            Intent { author: Author::default(), at: clock::now(), puts: Vec::new(), deletes, accepts };
        let parts = whole.clone().split();
        assert!(parts.len() > 1 && parts.iter().all(|part| part.encode().len() < LARGEST + 1024));
        let named =
            |part: &Intent| part.accepts.as_ref().unwrap().versions.keys().cloned().collect::<Vec<_>>();
        assert!(parts.iter().all(|part| named(part) == part.deletes));
        assert_eq!(parts.iter().flat_map(named).collect::<Vec<_>>(), whole.deletes);
    }

    #[test]
    fn a_small_batch_is_one_intent_and_one_without_author_none() {
        let batch = Batch::new().delete(ObjectKey::new(Kind::Upstream, "a", "b"), Precondition::Any);
        assert_eq!(Intent::parts(&batch), []);
        let parts = Intent::parts(&batch.by(Author::default()));
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].deletes, ["Upstream/a/b"]);
    }
}
