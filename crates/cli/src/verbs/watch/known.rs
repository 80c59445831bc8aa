//! What a watch has told so far, so that one that begins anew tells only what is new.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use biplane_admin_api::resources::{Resource, ResourceEvent};
use biplane_core::key::ObjectKey;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The objects that are there, with the revision that was told, and whether the listing that is under way
    /// has them.
    objects: BTreeMap<ObjectKey, Told>,
    begun: bool,
    listing: bool,
    progress: bool,
}

#[derive(Debug)]
struct Told {
    version: Version,
    listed: bool,
}

/// Revision and text: a process that reads files counts anew when it starts, and a secret's text does not tell.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    revision: u64,
    text: u64,
}

impl Version {
    fn of(resource: &Resource) -> Self {
        let mut hasher = DefaultHasher::new();
        resource.text.hash(&mut hasher);
        Self { revision: resource.revision, text: hasher.finish() }
    }
}

impl Known {
    /// A watch begins with a listing.
    pub(super) fn begin(&mut self) {
        (self.begun, self.listing) = (true, true);
        for told in self.objects.values_mut() {
            told.listed = false;
        }
    }

    /// Whether a watch ever began.
    pub(super) const fn is_begun(&self) -> bool {
        self.begun
    }

    /// Whether a listing came to its end since this was last asked.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// What of an event is news.
    pub(super) fn take(&mut self, event: ResourceEvent) -> Vec<ResourceEvent> {
        match event {
            ResourceEvent::Put { resource } => {
                let told = Told { version: Version::of(&resource), listed: true };
                let before = self.objects.insert(resource.key(), told);
                let same = before.is_some_and(|before| before.version == Version::of(&resource));
                if same { vec![] } else { vec![ResourceEvent::Put { resource }] }
            }
            ResourceEvent::Deleted { kind, ref namespace, ref name, .. } => {
                let key = ObjectKey::new(kind, namespace.as_str(), name.as_str());
                let known = self.objects.remove(&key).is_some();
                if known { vec![event] } else { vec![] }
            }
            ResourceEvent::Listed { revision } => self.listed(revision),
            ResourceEvent::Alive => vec![event],
        }
    }

    /// What was there before, and is not in the listing that ends here, has gone meanwhile.
    fn listed(&mut self, revision: u64) -> Vec<ResourceEvent> {
        self.progress = true;
        if !std::mem::take(&mut self.listing) {
            return vec![ResourceEvent::Listed { revision }];
        }
        let gone: Vec<_> =
            self.objects.iter().filter(|(_, told)| !told.listed).map(|(key, _)| key.clone()).collect();
        let mut news = Vec::new();
        for key in gone {
            self.objects.remove(&key);
            let ObjectKey { kind, namespace, name } = key;
            news.push(ResourceEvent::Deleted { kind, namespace, name, revision });
        }
        news.push(ResourceEvent::Listed { revision });
        news
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    fn put(name: &str, revision: u64) -> ResourceEvent {
        let resource = Resource {
            kind: Kind::Upstream,
            namespace: "default".into(),
            name: name.into(),
            revision,
            location: String::new(),
            labels: BTreeMap::new(),
            text: String::new(),
            redacted: false,
            document: None,
        };
        ResourceEvent::Put { resource: Box::new(resource) }
    }

    fn deleted(name: &str, revision: u64) -> ResourceEvent {
        let (namespace, name) = ("default".to_owned(), name.to_owned());
        ResourceEvent::Deleted { kind: Kind::Upstream, namespace, name, revision }
    }

    #[test]
    fn a_watch_that_begins_anew_tells_only_what_is_new_and_what_has_gone() {
        let mut known = Known::default();
        known.begin();
        assert_eq!(known.take(put("a", 1)), [put("a", 1)]);
        assert_eq!(known.take(put("b", 2)), [put("b", 2)]);
        assert_eq!(known.take(ResourceEvent::Listed { revision: 2 }).len(), 1);
        known.begin();
        assert_eq!(known.take(put("a", 1)), []);
        let listed = ResourceEvent::Listed { revision: 5 };
        assert_eq!(known.take(listed.clone()), [deleted("b", 5), listed]);
        assert_eq!(known.take(deleted("a", 6)), [deleted("a", 6)]);
        assert_eq!(known.take(deleted("a", 6)), []);
    }
}
