//! Which events matter to a reader, and how long it leaves a burst of them to end: documents in a tree count by
//! their names, values of secrets by the directories that they are in.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::names::{is_resource, is_skipped, is_value};
use crate::pending::Pace;

/// What a reader reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Documents, and whatever new names may lead to documents.
    #[default]
    Documents,
    /// Values: every file of the directories that are known.
    Values,
}

impl Interest {
    /// Whether what happens to this path may matter. `known` paths do, whatever their names.
    pub(crate) fn counts(self, path: &Path, known: &HashSet<PathBuf>) -> bool {
        let in_known_directory = || path.parent().is_some_and(|directory| known.contains(directory));
        known.contains(path) || self.names(path) && (self == Self::Documents || in_known_directory())
    }

    /// Whether a path of this name may be one that is read.
    pub(crate) fn names(self, path: &Path) -> bool {
        let test = match self {
            Self::Documents => is_resource,
            Self::Values => is_value,
        };
        path.file_name().is_some_and(test)
    }

    /// Whether a new name that nobody knows may lead to something: be a directory, or a link to one.
    pub(crate) fn leads(self, name: &OsStr) -> bool {
        self == Self::Documents && !is_skipped(name)
    }

    /// Certificates and keys are written one after another, often by a process each, and nobody waits for them:
    /// they are left more time than documents, which somebody has just saved.
    pub(crate) const fn pace(self) -> Pace {
        match self {
            Self::Documents => Pace { min: Duration::from_millis(1), max: Duration::from_millis(20) },
            Self::Values => Pace { min: Duration::from_millis(100), max: Duration::from_millis(250) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_count_anywhere_and_values_in_known_directories_only() {
        let known = HashSet::from([PathBuf::from("/s/web"), PathBuf::from("/s/..data")]);
        let counts = |interest: Interest, path: &str| interest.counts(Path::new(path), &known);
        assert!(counts(Interest::Documents, "/anywhere/a.yaml"));
        for (path, expected) in [
            ("/s/web/tls.key", true),
            ("/s/..data", true),
            ("/s/web", true),
            ("/s/web/.tls.key.swp", false),
            ("/s/web/tls.key~", false),
            ("/s/other", false),
            ("/elsewhere/tls.key", false),
        ] {
            assert_eq!(counts(Interest::Values, path), expected, "{path}");
        }
    }
}
