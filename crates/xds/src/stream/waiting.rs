//! Resources that must not go yet, and what each waits for. Invariant: a resource waits for one
//! thing at a time, the first that stands in its way; when that goes, it is judged anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::resource::{ResourceName, ResourceType};

/// What a resource waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Blocker {
    /// That something happens to a resource: it gets ready, gets confirmed, goes away.
    Name(ResourceName),
    /// That the client asks for a type for the first time on this stream.
    Asked(ResourceType),
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    of: BTreeMap<ResourceName, Blocker>,
    behind: HashMap<Blocker, BTreeSet<ResourceName>>,
}

impl Waiting {
    /// Puts a resource behind a blocker, and behind nothing else.
    pub(super) fn wait(&mut self, name: ResourceName, blocker: Blocker) {
        self.clear(&name);
        self.behind.entry(blocker.clone()).or_default().insert(name.clone());
        self.of.insert(name, blocker);
    }

    /// The resource waits no longer, whatever the reason.
    pub(super) fn clear(&mut self, name: &ResourceName) {
        let Some(blocker) = self.of.remove(name) else { return };
        let Some(others) = self.behind.get_mut(&blocker) else { return };
        others.remove(name);
        if others.is_empty() {
            self.behind.remove(&blocker);
        }
    }

    /// Releases what waits for a blocker.
    pub(super) fn release(&mut self, blocker: &Blocker) -> BTreeSet<ResourceName> {
        let released = self.behind.remove(blocker).unwrap_or_default();
        for name in &released {
            self.of.remove(name);
        }
        released
    }

    /// Releases everything.
    pub(super) fn release_all(&mut self) -> impl Iterator<Item = ResourceName> + use<> {
        self.behind.clear();
        std::mem::take(&mut self.of).into_keys()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Whether anything waits for a request.
    pub(super) fn for_requests(&self) -> bool {
        self.behind.keys().any(|blocker| matches!(blocker, Blocker::Asked(_)))
    }

    /// The resources of a type that wait.
    pub(super) fn of_type(&self, kind: ResourceType) -> impl Iterator<Item = &ResourceName> {
        let first = ResourceName::new(kind, "");
        self.of.range(first..).map(|(name, _)| name).take_while(move |name| name.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: ResourceType, name: &str) -> ResourceName {
        ResourceName::new(kind, name)
    }

    #[test]
    fn resource_waits_for_one_thing_at_a_time() {
        let mut waiting = Waiting::default();
        let (one, two) =
            (Blocker::Asked(ResourceType::Route), Blocker::Name(name(ResourceType::Cluster, "c")));
        waiting.wait(name(ResourceType::Route, "r"), one.clone());
        waiting.wait(name(ResourceType::Route, "r"), two.clone());
        assert!(waiting.release(&one).is_empty());
        assert_eq!(waiting.of_type(ResourceType::Route).count(), 1);
        assert_eq!(waiting.of_type(ResourceType::Cluster).count(), 0);
        assert_eq!(waiting.release(&two).len(), 1);
        assert!(waiting.is_empty());
    }
}
