//! Objects in memory, for the tests of this crate, and routes read back, for those of this folder.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::resources::route::{RouteTable, RouteTableSelector};
use biplane_core::resources::settings::InvalidConfigPolicy;
use biplane_core::resources::{
    Endpoint, RouteOption, Secret, UpstreamGroup, VirtualHostOption, VirtualService,
};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction, RouteMatch};
use prost::Message;
use serde_json::{Value, json};

use super::{Placement, RouteSet, virtual_service};
use crate::lookup::Lookup;

/// Objects by name. Tables carry their labels; every name in `upstreams` exists.
#[derive(Default)]
pub(crate) struct Objects {
    pub(super) upstreams: BTreeSet<ResourceRef>,
    pub(super) tables: BTreeMap<ResourceRef, (BTreeMap<String, String>, Arc<RouteTable>)>,
    pub(super) groups: BTreeMap<ResourceRef, Arc<UpstreamGroup>>,
    pub(super) route_options: BTreeMap<ResourceRef, Arc<RouteOption>>,
    pub(super) host_options: BTreeMap<ResourceRef, Arc<VirtualHostOption>>,
    pub(super) secrets: BTreeMap<ResourceRef, Arc<Secret>>,
    pub(super) policy: InvalidConfigPolicy,
    /// Whether somebody asked for the policy.
    pub(super) policy_was_asked: Cell<bool>,
}

impl Objects {
    /// Upstreams of these names in the namespace `default`.
    pub(crate) fn with_upstreams(names: &[&str]) -> Self {
        Self { upstreams: names.iter().map(|name| name_of(name)).collect(), ..Self::default() }
    }

    /// Adds a route table in the namespace `default`; its label `team` is `a`.
    pub(super) fn table(mut self, name: &str, table: Value) -> Self {
        let labels = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        self.tables.insert(name_of(name), (labels, Arc::new(parsed(table))));
        self
    }

    pub(super) fn route_option(mut self, name: &str, options: Value) -> Self {
        self.route_options.insert(name_of(name), Arc::new(parsed(json!({ "options": options }))));
        self
    }

    pub(super) fn host_option(mut self, name: &str, options: Value) -> Self {
        self.host_options.insert(name_of(name), Arc::new(parsed(json!({ "options": options }))));
        self
    }

    pub(super) fn group(mut self, name: &str, destinations: Value) -> Self {
        self.groups.insert(name_of(name), Arc::new(parsed(json!({ "destinations": destinations }))));
        self
    }

    /// Adds a secret in the namespace `default`; the text of each of its parts is a placeholder.
    pub(crate) fn secret(self, name: &str, parts: &[&str]) -> Self {
        let tls: serde_json::Map<_, _> = parts.iter().map(|part| ((*part).to_owned(), json!("-"))).collect();
        self.secret_of(name, json!({ "tls": tls }))
    }

    /// Adds a secret with these fields in the namespace `default`.
    pub(crate) fn secret_of(mut self, name: &str, fields: Value) -> Self {
        self.secrets.insert(name_of(name), Arc::new(parsed(fields)));
        self
    }

    /// Adds a secret that is kept elsewhere and has not come yet.
    pub(crate) fn unknown_secret(self, name: &str) -> Self {
        self.secret_of(name, json!({ "file": {} }))
    }

    /// The routes of a virtual service named `default/vs` with the given `virtualHost`.
    pub(super) fn translate(&self, virtual_host: Value) -> RouteSet {
        self.translate_as("vs", virtual_host, Placement::VirtualHost)
    }

    pub(super) fn translate_as(&self, name: &str, virtual_host: Value, placement: Placement) -> RouteSet {
        let service: VirtualService = parsed(json!({ "virtualHost": virtual_host }));
        virtual_service(&service_key(name), &service, placement, self)
    }

    /// The routes of a virtual service that has just these routes.
    pub(crate) fn routes(&self, routes: Value) -> RouteSet {
        self.translate(json!({ "routes": routes }))
    }
}

impl Lookup for Objects {
    fn has_upstream(&self, name: &ResourceRef) -> bool {
        self.upstreams.contains(name)
    }

    fn endpoints(&self, _: &ResourceRef) -> Option<Arc<[Endpoint]>> {
        None
    }

    fn upstream_group(&self, name: &ResourceRef) -> Option<Arc<UpstreamGroup>> {
        self.groups.get(name).cloned()
    }

    fn route_table(&self, name: &ResourceRef) -> Option<Arc<RouteTable>> {
        self.tables.get(name).map(|(_, table)| table.clone())
    }

    fn route_tables(
        &self,
        selector: &RouteTableSelector,
        namespace: &str,
    ) -> Vec<(ResourceRef, Arc<RouteTable>)> {
        let found = self
            .tables
            .iter()
            .filter(|(name, (labels, _))| name.namespace == namespace && selector.matches_labels(labels));
        found.map(|(name, (_, table))| (name.clone(), table.clone())).collect()
    }

    fn route_option(&self, name: &ResourceRef) -> Option<Arc<RouteOption>> {
        self.route_options.get(name).cloned()
    }

    fn virtual_host_option(&self, name: &ResourceRef) -> Option<Arc<VirtualHostOption>> {
        self.host_options.get(name).cloned()
    }

    fn secret(&self, name: &ResourceRef) -> Option<Arc<Secret>> {
        self.secrets.get(name).cloned()
    }

    fn secret_values(&self, name: &ResourceRef) -> Option<Arc<Secret>> {
        self.secret(name)
    }

    fn invalid_config_policy(&self) -> InvalidConfigPolicy {
        self.policy_was_asked.set(true);
        self.policy.clone()
    }
}

pub(crate) fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("tests write valid objects")
}

pub(crate) fn name_of(name: &str) -> ResourceRef {
    ResourceRef::new("default", name)
}

pub(crate) fn service_key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::VirtualService, "default", name)
}

/// A reference as users write it.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "namespace": "default", "name": name })
}

/// A `routeAction` to one upstream.
pub(super) fn to(upstream: &str) -> Value {
    json!({ "single": { "upstream": reference(upstream) } })
}

/// A route by prefix to an upstream.
pub(super) fn prefix(prefix: &str, upstream: &str) -> Value {
    json!({ "matchers": [{ "prefix": prefix }], "routeAction": to(upstream) })
}

pub(super) fn decoded(set: &RouteSet) -> Vec<Route> {
    set.routes.iter().map(|route| decode(&route.bytes)).collect()
}

pub(super) fn decode(bytes: &[u8]) -> Route {
    Route::decode(bytes).expect("an encoded route")
}

/// The action of a route that forwards.
pub(super) fn forwarded(route: &Route) -> &RouteAction {
    match &route.action {
        Some(Action::Route(action)) => action,
        other => panic!("not a route to an upstream: {other:?}"),
    }
}

/// `prefix /a -> u_default`: what a route matches by path and where it goes.
pub(super) fn line(route: &Route) -> String {
    format!("{} -> {}", path(route.r#match.as_ref().expect("a matcher")), target(route))
}

pub(super) fn lines(set: &RouteSet) -> Vec<String> {
    decoded(set).iter().map(line).collect()
}

fn path(matcher: &RouteMatch) -> String {
    match matcher.path_specifier.as_ref().expect("a path") {
        PathSpecifier::Prefix(text) => format!("prefix {text}"),
        PathSpecifier::Path(text) => format!("exact {text}"),
        PathSpecifier::SafeRegex(regex) => format!("regex {}", regex.regex),
        other => format!("{other:?}"),
    }
}

fn target(route: &Route) -> String {
    match &route.action {
        Some(Action::Route(RouteAction {
            cluster_specifier: Some(ClusterSpecifier::Cluster(name)), ..
        })) => name.clone(),
        Some(Action::DirectResponse(response)) => response.status.to_string(),
        other => format!("{other:?}"),
    }
}

/// The reports as people read them.
pub(super) fn said(set: &RouteSet) -> Vec<String> {
    set.reports.iter().map(ToString::to_string).collect()
}
