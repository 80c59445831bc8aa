//! What can look wrong about a reading, in words for people.

use std::collections::BTreeMap;
use std::fmt;

use biplane_core::key::Kind;
use biplane_store::{Identity, Revision};

use super::Rules;

/// What looks wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Many objects of one kind are gone.
    Shrunk {
        /// The kind.
        kind: Kind,
        /// How many.
        gone: usize,
        /// Of how many.
        had: usize,
        /// Since the last run, as opposed to within a minute.
        since_last_run: bool,
    },
    /// Nothing is left.
    Emptied {
        /// How many objects there were.
        had: usize,
    },
    /// Another store answers at the same place.
    Identity {
        /// The store that is served from.
        from: Identity,
        /// The one that answers.
        to: Identity,
    },
    /// The store is older than it was.
    Backwards {
        /// Where it was.
        from: Revision,
        /// Where it is.
        to: Revision,
    },
    /// Objects are older than they were, in a store that has not gone back as a whole.
    Older {
        /// How many.
        objects: usize,
    },
    /// The last run ended with these held.
    Carried,
}

impl Rules {
    /// What is wrong with there being so many objects of each kind where there were so many before, if
    /// anything.
    pub fn compare(&self, had: &BTreeMap<Kind, usize>, has: &BTreeMap<Kind, usize>) -> Option<Reason> {
        let all = had.values().sum();
        if all > 0 && has.values().all(|count| *count == 0) {
            return Some(Reason::Emptied { had: all });
        }
        had.iter().find_map(|(kind, had)| {
            let gone = had.saturating_sub(has.get(kind).copied().unwrap_or_default());
            let reason = Reason::Shrunk { kind: *kind, gone, had: *had, since_last_run: true };
            self.is_too_much(gone, *had).then_some(reason)
        })
    }

    /// Whether so many of one kind do not go without a word.
    pub(super) fn is_too_much(&self, gone: usize, had: usize) -> bool {
        gone >= self.min && gone * 100 > had * usize::from(self.percent)
    }
}

impl Reason {
    /// Whether only numbers look wrong, not the store itself.
    pub const fn is_shrinking(&self) -> bool {
        matches!(self, Self::Shrunk { .. } | Self::Emptied { .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shrunk { kind, gone, had, since_last_run } => {
                let when = if *since_last_run { "since Biplane ran last" } else { "within a minute" };
                write!(f, "{gone} of {had} {kind} objects went {when}")
            }
            Self::Emptied { had } => write!(f, "it is empty, but held {had} objects before"),
            Self::Identity { from, to } => {
                write!(
                    f,
                    "it is another store (its mark says {to}) than the one that is served from ({from})"
                )
            }
            Self::Backwards { from, to } => {
                write!(f, "it went back from revision {from} to {to}, as a restored backup does")
            }
            Self::Older { objects } => {
                write!(f, "{objects} of its objects went back to older versions, as after a restored backup")
            }
            Self::Carried => f.write_str("what is missing was held back already when Biplane ran last"),
        }
    }
}
