//! Which of two objects is older: the older one keeps what both claim (design: duplicate domains,
//! listeners on one address, SNI names), so that every replica and every checkout decides alike.

use crate::key::ObjectKey;
use crate::scalars::Timestamp;

/// An object's age as a total order, the oldest first: by creation time, then by the revision at
/// which the store created it, then by key. An object that lacks one of them counts as younger
/// than one that has it, and one that was made from services' tags as younger than all that people wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Age {
    made: bool,
    created: (bool, Timestamp),
    revision: (bool, u64),
    key: ObjectKey,
}

impl Age {
    /// The age of the object at `key`.
    pub fn new(created: Option<Timestamp>, create_revision: Option<u64>, key: ObjectKey) -> Self {
        Self {
            made: false,
            created: (created.is_none(), created.unwrap_or_default()),
            revision: (create_revision.is_none(), create_revision.unwrap_or_default()),
            key,
        }
    }

    /// The age of an object that nobody wrote.
    #[must_use]
    pub fn made(self, made: bool) -> Self {
        Self { made, ..self }
    }

    /// Whether nobody wrote the object.
    pub const fn is_made(&self) -> bool {
        self.made
    }

    /// The object.
    pub const fn key(&self) -> &ObjectKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Kind;

    fn age(created: Option<i64>, revision: Option<u64>, name: &str) -> Age {
        Age::new(created.map(Timestamp), revision, ObjectKey::new(Kind::VirtualService, "default", name))
    }

    #[test]
    fn creation_time_beats_revision_beats_name() {
        let mut ages =
            [age(None, None, "a"), age(None, Some(3), "z"), age(Some(9), None, "y"), age(None, None, "b")];
        ages.sort();
        let names: Vec<_> = ages.iter().map(|age| age.key().name.as_str()).collect();
        assert_eq!(names, ["y", "z", "a", "b"]);
    }
}
