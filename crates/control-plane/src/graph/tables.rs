//! The graph's inputs: one keyed table a kind, holding decoded objects.
//!
//! Invariant: a table holds an object exactly while the last [`Edit`] for its key was a put.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use biplane_core::age::Age;
use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::resources::{
    Gateway, Metadata, Object, RouteOption, RouteTable, Secret, Settings, Spec, Upstream, UpstreamGroup,
    VirtualHostOption, VirtualService,
};

/// One change of an input.
#[derive(Clone, Debug)]
pub enum Edit {
    /// The object is there, new or changed. The number is the store's create revision, where it has one.
    Put(Box<Object>, Option<u64>),
    /// The object is gone.
    Delete(ObjectKey),
}

impl Edit {
    /// The object that this is about.
    pub const fn key(&self) -> &ObjectKey {
        match self {
            Self::Put(object, _) => &object.key,
            Self::Delete(key) => key,
        }
    }
}

/// An object in a table.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry<T> {
    pub(crate) spec: Arc<T>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) age: Age,
}

/// All tables. Ordered maps where a translation lists a range, hash maps where it only looks up.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) gateways: BTreeMap<ResourceRef, Entry<Gateway>>,
    pub(crate) services: HashMap<ResourceRef, Entry<VirtualService>>,
    /// Route tables.
    pub(crate) delegated: BTreeMap<ResourceRef, Entry<RouteTable>>,
    pub(crate) upstreams: HashMap<ResourceRef, Entry<Upstream>>,
    pub(crate) groups: HashMap<ResourceRef, Entry<UpstreamGroup>>,
    pub(crate) route_options: HashMap<ResourceRef, Entry<RouteOption>>,
    pub(crate) host_options: HashMap<ResourceRef, Entry<VirtualHostOption>>,
    pub(crate) secrets: HashMap<ResourceRef, Entry<Secret>>,
    pub(crate) settings: BTreeMap<ResourceRef, Entry<Settings>>,
}

/// What an edit did to a table, as far as dependents care.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Effect {
    /// The object was there and is gone, or the other way round.
    pub(crate) existence: bool,
    /// Its fields, labels or age differ.
    pub(crate) content: bool,
    /// A secret: which parts it has differs.
    pub(crate) parts: bool,
    /// The labels before and after, for selectors.
    pub(crate) labels: [Option<Arc<Metadata>>; 2],
}

impl Tables {
    /// Carries out one edit.
    pub(crate) fn apply(&mut self, edit: &Edit) -> Effect {
        let name = edit.key().reference();
        match edit {
            Edit::Delete(key) => self.delete(key.kind, &name),
            Edit::Put(object, revision) => self.put(name, object, *revision),
        }
    }

    fn put(&mut self, name: ResourceRef, object: &Object, revision: Option<u64>) -> Effect {
        let metadata = object.metadata.clone();
        let age = Age::new(metadata.creation_timestamp, revision, object.key.clone());
        match &object.spec {
            Spec::Gateway(spec) => put(|entry| self.gateways.insert(name, entry), spec, metadata, age),
            Spec::VirtualService(spec) => put(|entry| self.services.insert(name, entry), spec, metadata, age),
            Spec::RouteTable(spec) => put(|entry| self.delegated.insert(name, entry), spec, metadata, age),
            Spec::Upstream(spec) => put(|entry| self.upstreams.insert(name, entry), spec, metadata, age),
            Spec::UpstreamGroup(spec) => put(|entry| self.groups.insert(name, entry), spec, metadata, age),
            Spec::RouteOption(spec) => {
                put(|entry| self.route_options.insert(name, entry), spec, metadata, age)
            }
            Spec::VirtualHostOption(spec) => {
                put(|entry| self.host_options.insert(name, entry), spec, metadata, age)
            }
            Spec::Secret(spec) => {
                let parts = self.secrets.get(&name).is_none_or(|before| parts(&before.spec) != parts(spec));
                Effect { parts, ..put(|entry| self.secrets.insert(name, entry), spec, metadata, age) }
            }
            Spec::Settings(spec) => put(|entry| self.settings.insert(name, entry), spec, metadata, age),
        }
    }

    fn delete(&mut self, kind: Kind, name: &ResourceRef) -> Effect {
        match kind {
            Kind::Gateway => gone(self.gateways.remove(name)),
            Kind::VirtualService => gone(self.services.remove(name)),
            Kind::RouteTable => gone(self.delegated.remove(name)),
            Kind::Upstream => gone(self.upstreams.remove(name)),
            Kind::UpstreamGroup => gone(self.groups.remove(name)),
            Kind::RouteOption => gone(self.route_options.remove(name)),
            Kind::VirtualHostOption => gone(self.host_options.remove(name)),
            Kind::Secret => gone(self.secrets.remove(name)),
            Kind::Settings => gone(self.settings.remove(name)),
        }
    }

    /// How many objects there are of each kind.
    pub(crate) fn counts(&self) -> BTreeMap<Kind, usize> {
        BTreeMap::from([
            (Kind::Gateway, self.gateways.len()),
            (Kind::VirtualService, self.services.len()),
            (Kind::RouteTable, self.delegated.len()),
            (Kind::Upstream, self.upstreams.len()),
            (Kind::UpstreamGroup, self.groups.len()),
            (Kind::RouteOption, self.route_options.len()),
            (Kind::VirtualHostOption, self.host_options.len()),
            (Kind::Secret, self.secrets.len()),
            (Kind::Settings, self.settings.len()),
        ])
    }
}

/// Puts an object into its table, of whichever kind of map.
fn put<T: PartialEq>(
    insert: impl FnOnce(Entry<T>) -> Option<Entry<T>>,
    spec: &Arc<T>,
    metadata: Arc<Metadata>,
    age: Age,
) -> Effect {
    let entry = Entry { spec: spec.clone(), metadata, age };
    changed(insert(entry.clone()), &entry)
}

fn changed<T: PartialEq>(before: Option<Entry<T>>, after: &Entry<T>) -> Effect {
    let content = before.as_ref() != Some(after);
    Effect {
        existence: before.is_none(),
        parts: false,
        content,
        labels: [before.map(|e| e.metadata), Some(after.metadata.clone())],
    }
}

/// Which parts of a secret have any text. What they say is nobody's business but the secret's own.
fn parts(secret: &Secret) -> [bool; 4] {
    let Some(tls) = &secret.tls else { return [false; 4] };
    let some = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let private = tls.private_key.as_ref().is_some_and(|key| !key.is_empty());
    [some(&tls.cert_chain), private, some(&tls.root_ca), some(&tls.ocsp_staple)]
}

fn gone<T>(before: Option<Entry<T>>) -> Effect {
    let there = before.is_some();
    Effect { existence: there, parts: there, content: there, labels: [before.map(|e| e.metadata), None] }
}

/// Not derived: that would ask for `T: Clone`, and the fields are shared.
impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { spec: self.spec.clone(), metadata: self.metadata.clone(), age: self.age.clone() }
    }
}
