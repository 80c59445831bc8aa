//! The incremental graph: from edits of objects to changes of fleets.
//!
//! ```text
//! tables ─▶ services ─▶ gateways (claims ─▶ hosts ─▶ routes; tls ─▶ listener) ─▶ fleets
//!        ─▶ upstreams, secrets ─▶ shared ───────────────────────────────────────▶ fleets
//! ```
//!
//! A batch of edits is one transaction: tables first, then each level once, in the order of the
//! drawing, so that no level sees half a change. Reverse indexes ([`dependencies`]) say what an edit
//! touches; a level whose output has the same bytes as before wakes nobody ([`service`], [`shared`]).
//!
//! Invariant: after [`Graph::apply`] the fleets hold exactly what a new graph would hold that is
//! given the same objects in any order. `tests/graph` checks that with random edits.

mod claims;
mod dependencies;
mod explain;
mod fleet;
mod gateway;
mod recorder;
mod reports;
mod service;
mod shared;
mod tables;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use biplane_core::age::Age;
use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::report::Report;
use biplane_core::resources::{Secret, Upstream};
use biplane_translator::listener::{ListenerInput, TlsService};
use biplane_translator::{Output, listener, names, route, secret, upstream};
use biplane_xds::{Change, ResourceType};

use crate::convert;
use crate::report_count::Count;
use dependencies::{Dependencies, Dependency, Node};
pub(crate) use explain::{Asked, Facts, GatewayFacts, HostFacts, ServiceFacts};
use fleet::{Address, Fleet};
use gateway::GatewayNode;
use recorder::Recorder;
use reports::{Reports, Topic};
use service::Service;
use shared::Shared;
pub(crate) use shared::{Content, Unknown};
pub use tables::Edit;
use tables::{Effect, Tables};

/// Objects in, fleets out.
#[derive(Debug, Default)]
pub struct Graph {
    tables: Tables,
    dependencies: Dependencies,
    services: HashMap<ResourceRef, Service>,
    gateways: BTreeMap<ResourceRef, GatewayNode>,
    shared: Shared,
    fleets: BTreeMap<String, Fleet>,
    reports: Reports,
}

/// What the edits of one transaction touch, level by level.
#[derive(Debug, Default)]
struct Touched {
    upstreams: BTreeSet<ResourceRef>,
    secrets: BTreeSet<ResourceRef>,
    services: BTreeSet<ResourceRef>,
    /// Gateways whose own fields have changed.
    specs: BTreeSet<ResourceRef>,
    /// Gateways whose listener asked for something that has changed.
    listeners: BTreeSet<ResourceRef>,
    /// Gateways that have something to compute again.
    gateways: BTreeSet<ResourceRef>,
    /// Upstreams came or went.
    upstream_set: bool,
}

impl Graph {
    /// Carries out a batch of edits as one transaction; gives what changes for each fleet.
    pub fn apply(&mut self, edits: &[Edit]) -> BTreeMap<String, Change> {
        let mut touched = Touched::default();
        for edit in edits {
            let effect = self.tables.apply(edit);
            self.mark(edit.key(), &effect, &mut touched);
        }
        self.compute_shared(&touched);
        self.compute_services(&mut touched);
        self.compute_gateways(&mut touched);
        let changes = self.fleets.iter_mut();
        let changes =
            changes.filter_map(|(name, fleet)| Some((name.clone(), fleet.take_change()?))).collect();
        self.fleets.retain(|_, fleet| !fleet.is_drained());
        changes
    }

    /// All findings of the translation, sorted.
    pub fn reports(&self) -> Vec<Report> {
        let rivals = |(name, fleet): (&String, &Fleet)| reports::address_conflicts(name, fleet.rivals());
        let mut reports = self.reports.all();
        reports.extend(self.fleets.iter().flat_map(rivals));
        reports.sort_unstable();
        reports
    }

    /// The findings of the translation that are new since the last call, for the log.
    pub fn take_news(&mut self) -> Vec<Report> {
        self.reports.take_news()
    }

    /// How many findings of the translation there are.
    pub fn count_reports(&self) -> Count {
        let conflicts: usize = self.fleets.values().map(Fleet::losers).sum();
        self.reports.count().plus(Count { errors: conflicts, warnings: conflicts })
    }

    /// How many objects there are of each kind.
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        self.tables.counts()
    }

    /// The names of all fleets that some gateway belongs to.
    pub fn fleet_names(&self) -> Vec<String> {
        self.fleets.keys().cloned().collect()
    }

    /// A graph of which nobody is served, and which asks no sources: secrets whose values are kept elsewhere are taken to
    /// be there, so that what is said about a configuration is about the configuration.
    pub fn assuming_secrets() -> Self {
        Self { tables: Tables::assuming_secrets(), ..Self::default() }
    }

    /// The secrets that something names now and nothing did at the last call, or the other way round.
    pub fn take_asked_secrets(&mut self) -> BTreeSet<ResourceRef> {
        self.dependencies.take_secrets()
    }

    /// The same of upstreams.
    pub fn take_asked_upstreams(&mut self) -> BTreeSet<ResourceRef> {
        self.dependencies.take_upstreams()
    }

    /// Whether a route picks its cluster by a header, so that every upstream counts as named.
    pub fn names_all_upstreams(&self) -> bool {
        self.gateways.values().any(GatewayNode::wants_all_clusters)
    }

    /// All upstreams, in order of names.
    pub fn upstreams(&self) -> BTreeMap<&ResourceRef, &Upstream> {
        self.tables.upstreams.iter().map(|(name, entry)| (name, &*entry.spec)).collect()
    }

    /// A secret, with its values.
    pub fn secret(&self, name: &ResourceRef) -> Option<&Arc<Secret>> {
        self.tables.secrets.get(name).map(|entry| &entry.spec)
    }

    /// The objects whose translation names `key`: deleting it would break them.
    pub fn referrers(&self, key: &ObjectKey) -> BTreeSet<ObjectKey> {
        self.dependencies.askers(&asked(key)).map(Node::object).collect()
    }

    /// Whether any translation names `key`.
    pub fn is_named(&self, key: &ObjectKey) -> bool {
        self.dependencies.askers(&asked(key)).next().is_some()
    }

    /// Whether nothing is left of any object: for tests of leaks in the indexes.
    pub fn is_empty(&self) -> bool {
        self.dependencies.is_empty()
            && self.services.is_empty()
            && self.gateways.is_empty()
            && self.shared.is_empty()
            && self.reports.all().is_empty()
            && self.fleets.is_empty()
    }

    fn mark(&self, key: &ObjectKey, effect: &Effect, touched: &mut Touched) {
        if !effect.content {
            return;
        }
        let name = key.reference();
        match key.kind {
            Kind::Gateway => drop(touched.specs.insert(name)),
            Kind::VirtualService => drop(touched.services.insert(name)),
            Kind::Upstream => {
                touched.upstream_set |= effect.existence;
                if effect.existence {
                    self.wake(&Dependency::UpstreamExists(name.clone()), touched);
                }
                touched.upstreams.insert(name);
            }
            Kind::Settings => self.wake(&Dependency::Policy, touched),
            Kind::RouteTable => {
                self.wake(&Dependency::Object(key.clone()), touched);
                self.wake_selectors(&name, effect, touched);
            }
            Kind::Secret => {
                // Listeners and clusters name the parts of a secret and never hold them: a rotation
                // that has the same parts is no business of theirs.
                if effect.existence || effect.parts {
                    self.wake(&Dependency::Object(key.clone()), touched);
                }
                self.wake(&Dependency::SecretValues(name.clone()), touched);
                touched.secrets.insert(name);
            }
            Kind::UpstreamGroup | Kind::RouteOption | Kind::VirtualHostOption => {
                self.wake(&Dependency::Object(key.clone()), touched);
            }
        }
    }

    fn wake(&self, dependency: &Dependency, touched: &mut Touched) {
        self.dependencies.askers(dependency).for_each(|node| touched.add(node));
    }

    fn wake_selectors(&self, table: &ResourceRef, effect: &Effect, touched: &mut Touched) {
        for metadata in effect.labels.iter().flatten() {
            let nodes = self.dependencies.selecting(&table.namespace, &metadata.labels);
            for node in &nodes {
                touched.add(node);
            }
        }
    }

    fn compute_shared(&mut self, touched: &Touched) {
        for name in &touched.upstreams {
            self.compute_upstream(name);
        }
        for name in &touched.secrets {
            let key = name.key(Kind::Secret);
            let output = self.tables.secrets.get(name).map(|entry| secret::translate(name, &entry.spec));
            self.publish(&Node::Object(key), output.unwrap_or_default());
        }
    }

    fn compute_upstream(&mut self, name: &ResourceRef) {
        let node = Node::Upstream(name.clone());
        let recorder = Recorder::new(&self.tables);
        let entry = self.tables.upstreams.get(name);
        let output = entry.map(|entry| upstream::translate(name, &entry.spec, &recorder)).unwrap_or_default();
        self.dependencies.set(&node, recorder.into_dependencies());
        self.publish(&node, output);
    }

    /// Takes shared resources over and passes what changed on to the fleets that have it.
    fn publish(&mut self, maker: &Node, output: Output) {
        self.reports.set(Topic::Node(maker.clone()), output.reports);
        self.share(maker, convert::contents(output.resources, output.unknown));
    }

    fn share(&mut self, maker: &Node, made: Vec<Content>) {
        let changes = self.shared.set(maker, made);
        for fleet in self.fleets.values_mut() {
            for change in &changes {
                fleet.shared_changed(change, &self.shared);
            }
        }
    }

    fn compute_services(&mut self, touched: &mut Touched) {
        for name in std::mem::take(&mut touched.services) {
            if self.compute_service(&name) {
                self.offer(&name, touched);
            }
        }
    }

    /// Translates a service; says whether gateways need to look at it.
    fn compute_service(&mut self, name: &ResourceRef) -> bool {
        let node = Node::Service(name.clone());
        let Some(entry) = self.tables.services.get(name) else {
            self.dependencies.remove(&node);
            self.reports.set(Topic::Node(node), Vec::new());
            return self.services.remove(name).is_some();
        };
        let recorder = Recorder::new(&self.tables);
        let mut service = Service::translate(&name.key(Kind::VirtualService), entry, &recorder);
        self.dependencies.set(&node, recorder.into_dependencies());
        self.reports.set(Topic::Node(node), service.routes.reports.clone());
        let before = self.services.get(name);
        let same = before.is_some_and(|before| service.looks_like(before));
        service.keep_unchanged(before);
        self.services.insert(name.clone(), service);
        !same
    }

    fn offer(&mut self, name: &ResourceRef, touched: &mut Touched) {
        let service = self.services.get(name);
        for (gateway_name, gateway) in &mut self.gateways {
            gateway.offer(name, service);
            if gateway.is_dirty() {
                touched.gateways.insert(gateway_name.clone());
            }
        }
    }

    fn compute_gateways(&mut self, touched: &mut Touched) {
        for name in &touched.specs {
            self.respecify(name);
            touched.gateways.insert(name.clone());
        }
        for name in std::mem::take(&mut touched.listeners) {
            self.gateways.get_mut(&name).into_iter().for_each(|gateway| gateway.listener_dirty = true);
            touched.gateways.insert(name);
        }
        if touched.upstream_set {
            self.wake_header_gateways(touched);
        }
        for name in &touched.gateways {
            self.compute_gateway(name);
        }
    }

    fn wake_header_gateways(&mut self, touched: &mut Touched) {
        for (name, gateway) in self.gateways.iter_mut().filter(|(_, gateway)| gateway.wants_all_clusters()) {
            gateway.forget_clusters();
            touched.gateways.insert(name.clone());
        }
    }

    /// Takes a gateway's own fields over and lets it select its services anew.
    fn respecify(&mut self, name: &ResourceRef) {
        let before = self.gateways.get(name).map(Standing::of);
        let Some(entry) = self.tables.gateways.get(name) else {
            self.gateways.remove(name);
            if let Some(before) = &before {
                self.withdraw(name, before);
            }
            self.forget_gateway(name);
            return;
        };
        let gateway = self.gateways.entry(name.clone()).or_insert_with(|| GatewayNode::new(entry));
        if gateway.respecify(entry) {
            self.services.iter().for_each(|(name, service)| gateway.offer(name, Some(service)));
        }
        gateway.find_missing(|name| self.services.contains_key(name));
        let now = Standing::of(gateway);
        if before.as_ref() != Some(&now) {
            if let Some(before) = &before {
                self.withdraw(name, before);
            }
            self.claim(name, &now);
        }
    }

    fn claim(&mut self, name: &ResourceRef, standing: &Standing) {
        for fleet in &standing.fleets {
            let moved =
                self.fleets.entry(fleet.clone()).or_default().claim(&standing.address, &standing.age, true);
            self.hand_over(fleet, moved, name);
        }
    }

    fn withdraw(&mut self, name: &ResourceRef, standing: &Standing) {
        for fleet in &standing.fleets {
            let node = self.fleets.entry(fleet.clone()).or_default();
            let moved = node.claim(&standing.address, &standing.age, false);
            node.set_roots(name, None, &self.shared);
            self.hand_over(fleet, moved, name);
        }
    }

    /// An address of a fleet has changed hands: brings in and takes out the roots of all but `except`,
    /// which the caller looks after.
    fn hand_over(&mut self, fleet: &str, moved: Vec<ResourceRef>, except: &ResourceRef) {
        for other in moved.into_iter().filter(|other| other != except) {
            let Some(gateway) = self.gateways.get(&other) else { continue };
            let node = self.fleets.get_mut(fleet).expect("the fleet has just been claimed in");
            let owns = node.owner(&gateway.address()) == Some(&gateway.age);
            node.set_roots(&other, owns.then(|| gateway.roots.clone()), &self.shared);
        }
    }

    fn forget_gateway(&mut self, name: &ResourceRef) {
        let node = Node::Listener(name.clone());
        self.dependencies.remove(&node);
        self.reports.forget_gateway(name);
        self.share(&node, Vec::new());
    }

    fn compute_gateway(&mut self, name: &ResourceRef) {
        let Some(mut gateway) = self.gateways.remove(name) else { return };
        self.compute_hosts(name, &mut gateway);
        if gateway.listener_dirty {
            self.compute_listener(name, &mut gateway);
        }
        self.compute_routes(name, &mut gateway);
        self.bring_in(name, &gateway);
        gateway.missing_dirty = false;
        if let Some(crowded) = gateway.claims.take_crowded() {
            self.reports.set(Topic::Crowded(name.clone()), reports::crowded(name, crowded));
        }
        let missing = reports::missing_services(name, &gateway.missing);
        self.reports.set(Topic::MissingServices(name.clone()), missing);
        self.gateways.insert(name.clone(), gateway);
    }

    fn compute_hosts(&mut self, name: &ResourceRef, gateway: &mut GatewayNode) {
        for (group, domains) in gateway.claims.take_touched() {
            let host_name: Arc<str> = names::virtual_host(group.iter()).into();
            let topic = Topic::Host(name.clone(), group.clone());
            let Some(domains) = domains else {
                gateway.routes_dirty |= gateway.hosts.remove(&host_name).is_some();
                self.reports.set(topic, Vec::new());
                continue;
            };
            let sets = self.route_sets(&group);
            let sets: Vec<_> = sets.iter().map(|(key, set)| (key, &**set)).collect();
            let (host, reports) = route::virtual_host(&host_name, domains, &sets);
            self.reports.set(topic, reports);
            let before = gateway.hosts.insert(host_name, host.bytes.clone());
            gateway.routes_dirty |= before != Some(host.bytes);
        }
    }

    /// The routes of a group's services; folded where their virtual host options differ.
    fn route_sets(&self, group: &[ResourceRef]) -> Vec<(ObjectKey, Arc<route::RouteSet>)> {
        let services = || group.iter().map(|name| &self.services[name]);
        let same = services().all(|service| service.routes.host == self.services[&group[0]].routes.host);
        let routes = |service: &Service| {
            if same {
                return service.routes.clone();
            }
            service.folded(&Recorder::new(&self.tables)).clone()
        };
        services().map(|service| (service.age.key().clone(), routes(service))).collect()
    }

    fn compute_listener(&mut self, name: &ResourceRef, gateway: &mut GatewayNode) {
        gateway.listener_dirty = false;
        let node = Node::Listener(name.clone());
        let key = name.key(Kind::Gateway);
        let tls: Vec<_> =
            gateway.tls.iter().map(|(age, ssl)| TlsService { service: age.key(), ssl }).collect();
        let input =
            ListenerInput { gateway: &key, spec: &gateway.spec, tls: &tls, connect: gateway.connects() };
        let recorder = Recorder::new(&self.tables);
        let output = match &gateway.spec.http_gateway {
            Some(_) => listener::translate(&input, &recorder),
            None => Output::default(),
        };
        self.dependencies.set(&node, recorder.into_dependencies());
        let mut found = output.reports;
        if gateway.spec.ssl && gateway.spec.http_gateway.is_some() && gateway.tls.is_empty() {
            found.push(reports::no_certificate(name));
        }
        self.reports.set(Topic::Node(node.clone()), found);
        let made = convert::contents(output.resources, output.unknown);
        let is_listener = |content: &Content| content.name().kind == ResourceType::Listener;
        let (listeners, others): (Vec<_>, Vec<_>) = made.into_iter().partition(is_listener);
        gateway.roots.listener = listeners.into_iter().next();
        self.share(&node, others);
    }

    fn compute_routes(&self, name: &ResourceRef, gateway: &mut GatewayNode) {
        if gateway.roots.listener.is_none() {
            gateway.roots.routes = None;
            gateway.routes_dirty = true;
            return;
        }
        let all = || self.tables.upstreams.keys().cloned().collect();
        let (named, renamed) = gateway.named(all);
        if !(gateway.routes_dirty || renamed || gateway.roots.routes.is_none()) {
            return;
        }
        gateway.routes_dirty = false;
        let (address, port) = gateway.address();
        let listener = names::listener(&address, port);
        let bytes = gateway.hosts.values().map(bytes::Bytes::len).sum();
        let key = name.key(Kind::Gateway);
        let owner = (&key, &*gateway.spec);
        // The references are at hand as the xDS server takes them.
        let joined = route::route_configuration(&listener, owner, gateway.hosts.values(), bytes, [].into());
        let routes = convert::with_references(joined, named, gateway.lacks());
        gateway.roots.routes = Some(Content::Known(Arc::new(routes)));
    }

    fn bring_in(&mut self, name: &ResourceRef, gateway: &GatewayNode) {
        for fleet_name in Standing::of(gateway).fleets {
            let fleet = self.fleets.get_mut(&fleet_name).expect("claimed when the gateway was specified");
            let owner = fleet.owner(&gateway.address()).expect("this gateway claims it at least");
            let roots = (*owner == gateway.age).then(|| gateway.roots.clone());
            fleet.set_roots(name, roots, &self.shared);
        }
    }
}

/// Where a gateway stands among the others: while this stays, so does everything it brings in.
#[derive(Debug, PartialEq)]
struct Standing {
    address: Address,
    age: Age,
    fleets: BTreeSet<String>,
}

impl Standing {
    fn of(gateway: &GatewayNode) -> Self {
        let fleets = gateway.spec.fleets().into_iter().map(ToOwned::to_owned).collect();
        Self { address: gateway.address(), age: gateway.age.clone(), fleets }
    }
}

/// The question that whoever names an object has asked.
fn asked(key: &ObjectKey) -> Dependency {
    match key.kind {
        Kind::Upstream => Dependency::UpstreamExists(key.reference()),
        _ => Dependency::Object(key.clone()),
    }
}

impl Touched {
    fn add(&mut self, node: &Node) {
        match node {
            Node::Service(name) => drop(self.services.insert(name.clone())),
            Node::Upstream(name) => drop(self.upstreams.insert(name.clone())),
            Node::Listener(name) => drop(self.listeners.insert(name.clone())),
            Node::Object(_) => {}
        }
    }
}
