//! Where things are: keys, names and locations below one root.

use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::layout::{Layout, MANIFEST, SENTINEL};

/// What all of Biplane's marks start with, and no kind of object.
pub(crate) const MARKS: &str = "_";

/// A key below `config/` that nobody writes: asked for to learn the index over all keys.
const NOBODY: &str = "_index";

/// One store's keys.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The store's name, as `--store` takes it.
    pub(crate) name: Arc<str>,
    pub(crate) layout: Layout,
    root: Arc<str>,
    config: Arc<str>,
}

impl Place {
    pub(crate) fn new(name: &str, root: &str, layout: Layout) -> Self {
        let root = if root.is_empty() { String::new() } else { format!("{root}/") };
        let config = format!("{root}{}", layout.folder());
        Self { name: name.into(), layout, root: root.into(), config: config.into() }
    }

    /// The key of what is called `below` under `config/`.
    pub(crate) fn config(&self, below: &str) -> String {
        format!("{}{below}", self.config)
    }

    /// The part of a key below `config/`.
    pub(crate) fn below<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&*self.config)
    }

    pub(crate) fn object(&self, key: &ObjectKey) -> String {
        self.config(&self.layout.format(key))
    }

    pub(crate) fn sentinel(&self) -> String {
        self.config(SENTINEL)
    }

    pub(crate) fn manifest(&self) -> String {
        self.config(MANIFEST)
    }

    pub(crate) fn nobody(&self) -> String {
        self.config(NOBODY)
    }

    /// The key of a record.
    pub(crate) fn record(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// The folder directly below the root that a key or record is in: what rules of a policy are about.
    pub(crate) fn folder(&self, key: &str) -> String {
        let below =
            self.path(key).filter(|_| self.below(key).is_none()).and_then(|path| path.split_once('/'));
        below.map_or_else(|| self.config(""), |(folder, _)| format!("{}{folder}/", self.root))
    }

    /// The path of a record's key.
    pub(crate) fn path<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&*self.root)
    }

    /// The place that messages about a key point at.
    pub(crate) fn location(&self, key: &str, index: u64) -> Location {
        Location::Key { store: self.name.clone(), key: key.into(), revision: index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_below_the_root() {
        let place = Place::new("consul://localhost:8500/a/b", "a/b", Layout::Biplane);
        assert_eq!(place.sentinel(), "a/b/config/_store");
        assert_eq!(place.record("meta/leader"), "a/b/meta/leader");
        assert_eq!(place.below("a/b/config/Upstream/x/y"), Some("Upstream/x/y"));
        assert_eq!(place.below("a/b/status/x"), None);
        assert_eq!(place.path("a/b/status/x"), Some("status/x"));
        let gloo = Place::new("consul://localhost:8500/gloo?layout=gloo", "gloo", Layout::Gloo);
        assert_eq!(gloo.below("gloo/gloo.solo.io/v1/Upstream/a/b"), Some("gloo.solo.io/v1/Upstream/a/b"));
        assert_eq!(Place::new("", "", Layout::Biplane).manifest(), "config/_batch");
    }
}
