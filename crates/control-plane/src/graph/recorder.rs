//! The translator's view of the tables, which writes down every question it answers.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use biplane_core::key::{Kind, ResourceRef};
use biplane_core::resources::route::RouteTableSelector;
use biplane_core::resources::settings::InvalidConfigPolicy;
use biplane_core::resources::upstream::discovery::ConsulDestination;
use biplane_core::resources::{Endpoint, RouteOption, RouteTable, Secret, UpstreamGroup, VirtualHostOption};
use biplane_translator::Lookup;

use super::dependencies::{Dependency, Selector};
use super::tables::{Entry, Tables};

/// Answers from the tables and records.
pub(crate) struct Recorder<'a> {
    tables: &'a Tables,
    asked: RefCell<BTreeSet<Dependency>>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(tables: &'a Tables) -> Self {
        Self { tables, asked: RefCell::default() }
    }

    /// All questions so far.
    pub(crate) fn into_dependencies(self) -> BTreeSet<Dependency> {
        self.asked.into_inner()
    }

    fn record(&self, dependency: Dependency) {
        self.asked.borrow_mut().insert(dependency);
    }

    fn object<T>(&self, kind: Kind, name: &ResourceRef, entry: Option<&Entry<T>>) -> Option<Arc<T>> {
        self.record(Dependency::Object(name.key(kind)));
        entry.map(|entry| entry.spec.clone())
    }
}

impl Lookup for Recorder<'_> {
    fn has_upstream(&self, name: &ResourceRef) -> bool {
        self.record(Dependency::UpstreamExists(name.clone()));
        // An upstream that stands for a destination is made for whoever names it.
        self.tables.upstreams.contains_key(name) || ConsulDestination::of_upstream(name).is_some()
    }

    fn endpoints(&self, name: &ResourceRef) -> Option<Arc<[Endpoint]>> {
        // Only the upstream itself asks, and an edit of its endpoints wakes it.
        self.tables.endpoints.get(name).cloned().or_else(|| self.tables.assume.then(Arc::default))
    }

    fn upstream_group(&self, name: &ResourceRef) -> Option<Arc<UpstreamGroup>> {
        self.object(Kind::UpstreamGroup, name, self.tables.groups.get(name))
    }

    fn route_table(&self, name: &ResourceRef) -> Option<Arc<RouteTable>> {
        self.object(Kind::RouteTable, name, self.tables.delegated.get(name))
    }

    fn route_tables(
        &self,
        selector: &RouteTableSelector,
        namespace: &str,
    ) -> Vec<(ResourceRef, Arc<RouteTable>)> {
        let key = Selector::new(selector, namespace);
        let found = select(self.tables, &key.namespaces, selector);
        self.record(Dependency::Selector(key));
        found
    }

    fn route_option(&self, name: &ResourceRef) -> Option<Arc<RouteOption>> {
        self.object(Kind::RouteOption, name, self.tables.route_options.get(name))
    }

    fn virtual_host_option(&self, name: &ResourceRef) -> Option<Arc<VirtualHostOption>> {
        self.object(Kind::VirtualHostOption, name, self.tables.host_options.get(name))
    }

    fn secret(&self, name: &ResourceRef) -> Option<Arc<Secret>> {
        self.object(Kind::Secret, name, self.tables.secrets.get(name))
    }

    fn secret_values(&self, name: &ResourceRef) -> Option<Arc<Secret>> {
        self.record(Dependency::SecretValues(name.clone()));
        self.secret(name)
    }

    fn invalid_config_policy(&self) -> InvalidConfigPolicy {
        self.record(Dependency::Policy);
        policy(self.tables)
    }
}

fn select(
    tables: &Tables,
    namespaces: &BTreeSet<String>,
    selector: &RouteTableSelector,
) -> Vec<(ResourceRef, Arc<RouteTable>)> {
    let matching = |(name, entry): (&ResourceRef, &Entry<RouteTable>)| {
        selector.matches_labels(&entry.metadata.labels).then(|| (name.clone(), entry.spec.clone()))
    };
    if namespaces.is_empty() {
        return tables.delegated.iter().filter_map(matching).collect();
    }
    let of_namespace = |namespace: &String| {
        let first = ResourceRef::new(namespace.clone(), String::new());
        let namespace = namespace.clone();
        tables.delegated.range(first..).take_while(move |(name, _)| name.namespace == namespace)
    };
    namespaces.iter().flat_map(of_namespace).filter_map(matching).collect()
}

/// The settings object named `default` counts, else the first by key.
pub(crate) fn policy(tables: &Tables) -> InvalidConfigPolicy {
    let default = tables.settings.iter().find(|(name, _)| name.name == "default");
    let settings = default.or_else(|| tables.settings.iter().next());
    let policy = settings.and_then(|(_, entry)| entry.spec.gloo.as_ref()?.invalid_config_policy.clone());
    policy.unwrap_or_default()
}
