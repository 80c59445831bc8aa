//! A gateway in the graph: the services that it serves, their virtual hosts, its listener and its
//! route configuration.
//!
//! Invariant between transactions: `hosts` holds the encoding of every group of `claims`, and `roots`
//! was made of `hosts`, `clusters` and the gateway's own fields as they are now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use biplane_core::age::Age;
use biplane_core::key::ResourceRef;
use biplane_core::resources::Gateway;
use biplane_core::resources::gateway::HttpGateway;
use biplane_core::resources::tls::SslConfig;
use biplane_translator::names;
use biplane_translator::route::RouteSet;
use biplane_xds::{ResourceName, ResourceType};
use bytes::Bytes;

use crate::convert;

use super::claims::Claims;
use super::fleet::{Address, Roots};
use super::service::Service;
use super::tables::Entry;

/// A gateway and all that it serves.
#[derive(Debug)]
pub(crate) struct GatewayNode {
    pub(crate) spec: Arc<Gateway>,
    pub(crate) age: Age,
    pub(crate) claims: Claims,
    pub(crate) hosts: BTreeMap<Arc<str>, Bytes>,
    /// TLS settings of the services, the oldest first; empty unless the gateway has `ssl`.
    pub(crate) tls: BTreeMap<Age, SslConfig>,
    pub(crate) roots: Roots,
    /// Services that the gateway names and nobody has written.
    pub(crate) missing: BTreeSet<ResourceRef>,
    pub(crate) listener_dirty: bool,
    pub(crate) routes_dirty: bool,
    pub(crate) missing_dirty: bool,
    specified: bool,
    served: HashMap<ResourceRef, Arc<RouteSet>>,
    tls_ages: HashMap<ResourceRef, Age>,
    /// The clusters that routes need, and how many services' routes do.
    clusters: BTreeMap<ResourceName, usize>,
    named: Option<Arc<[ResourceName]>>,
    /// What routes would need if more were known, and how many services' routes.
    lacks: BTreeMap<ResourceName, usize>,
    cluster_headers: usize,
    connects: usize,
}

impl GatewayNode {
    /// A gateway that serves nothing yet.
    pub(crate) fn new(entry: &Entry<Gateway>) -> Self {
        Self {
            spec: entry.spec.clone(),
            age: entry.age.clone(),
            claims: Claims::default(),
            hosts: BTreeMap::new(),
            tls: BTreeMap::new(),
            roots: Roots::default(),
            missing: BTreeSet::new(),
            listener_dirty: true,
            routes_dirty: true,
            missing_dirty: true,
            specified: false,
            served: HashMap::new(),
            tls_ages: HashMap::new(),
            clusters: BTreeMap::new(),
            named: None,
            lacks: BTreeMap::new(),
            cluster_headers: 0,
            connects: 0,
        }
    }

    /// Takes over another version of the gateway's own fields; says whether that may select other
    /// services, so that all of them have to be offered again.
    pub(crate) fn respecify(&mut self, entry: &Entry<Gateway>) -> bool {
        let reselect = !self.specified || selection(&self.spec) != selection(&entry.spec);
        self.specified = true;
        self.spec = entry.spec.clone();
        self.age = entry.age.clone();
        self.listener_dirty = true;
        self.routes_dirty = true;
        reselect
    }

    /// Notes which of the services that it names do not exist.
    pub(crate) fn find_missing(&mut self, exists: impl Fn(&ResourceRef) -> bool) {
        let named = self.spec.http_gateway.iter().flat_map(|http| &http.virtual_services);
        self.missing = named.filter(|name| !exists(name)).cloned().collect();
    }

    /// Whether something has to be computed again.
    pub(crate) fn is_dirty(&self) -> bool {
        let served = self.routes_dirty || self.named.is_none() || self.claims.is_touched();
        served || self.listener_dirty || self.missing_dirty
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Address {
        (self.spec.address(), self.spec.bind_port)
    }

    /// Whether some route takes CONNECT, which the listener must allow.
    pub(crate) const fn connects(&self) -> bool {
        self.connects > 0
    }

    /// Whether a route picks its cluster by a header, so that all clusters must be there.
    pub(crate) const fn wants_all_clusters(&self) -> bool {
        self.cluster_headers > 0
    }

    /// Tells the gateway about a service as it is now; `None`: it is gone.
    pub(crate) fn offer(&mut self, name: &ResourceRef, service: Option<&Service>) {
        self.note_missing(name, service.is_some());
        let service = service.filter(|service| self.selects(name, service));
        self.claims.set(name, service.map(|service| (service.age.clone(), service.domains.clone())));
        self.serve(name, service.map(|service| service.routes.clone()));
        self.set_tls(name, service);
    }

    fn note_missing(&mut self, name: &ResourceRef, there: bool) {
        let named = self.spec.http_gateway.as_ref().is_some_and(|http| http.virtual_services.contains(name));
        self.missing_dirty |=
            if named && !there { self.missing.insert(name.clone()) } else { self.missing.remove(name) };
    }

    fn selects(&self, name: &ResourceRef, service: &Service) -> bool {
        self.refusal(name, service).is_none()
    }

    /// Why the gateway does not serve a service; none: it does.
    pub(crate) fn refusal(&self, name: &ResourceRef, service: &Service) -> Option<&'static str> {
        let Some(http) = &self.spec.http_gateway else { return Some("the gateway has no httpGateway") };
        let gateway = self.age.key();
        match (self.spec.ssl, service.ssl().is_some()) {
            (true, false) => Some("it has no sslConfig, and the gateway speaks TLS"),
            (false, true) => Some("it has an sslConfig, and the gateway does not speak TLS"),
            _ if !service.metadata.admits_gateway(&gateway.namespace, &gateway.name) => {
                Some("it names other gateways")
            }
            _ if !in_namespaces(http, name) => Some("the gateway serves other namespaces"),
            _ if !chosen(http, name, service) => Some("the gateway does not select it"),
            _ => None,
        }
    }

    fn serve(&mut self, name: &ResourceRef, routes: Option<Arc<RouteSet>>) {
        let before = self.served.remove(name);
        if let (Some(before), Some(routes)) = (&before, &routes)
            && Arc::ptr_eq(before, routes)
        {
            self.served.insert(name.clone(), routes.clone());
            return;
        }
        self.claims.touch(name);
        let connected = self.connects();
        if let Some(routes) = &routes {
            self.add(routes);
        }
        if let Some(before) = before {
            self.subtract(&before);
        }
        self.listener_dirty |= connected != self.connects();
        self.served.extend(routes.map(|routes| (name.clone(), routes)));
    }

    fn add(&mut self, routes: &RouteSet) {
        for name in routes.lacks.iter().map(convert::name) {
            let count = self.lacks.entry(name).or_default();
            *count += 1;
            self.routes_dirty |= *count == 1;
        }
        self.cluster_headers += usize::from(routes.cluster_header);
        self.connects += usize::from(routes.connect);
        if routes.cluster_header {
            self.named = None;
        }
        for name in named(routes) {
            let count = self.clusters.entry(name).or_default();
            *count += 1;
            if *count == 1 {
                self.named = None;
            }
        }
    }

    fn subtract(&mut self, routes: &RouteSet) {
        for name in routes.lacks.iter().map(convert::name) {
            let count = self.lacks.get_mut(&name).expect("counted when it was added");
            *count -= 1;
            if *count == 0 {
                self.lacks.remove(&name);
                self.routes_dirty = true;
            }
        }
        self.cluster_headers -= usize::from(routes.cluster_header);
        self.connects -= usize::from(routes.connect);
        if routes.cluster_header {
            self.named = None;
        }
        for name in named(routes) {
            let count = self.clusters.get_mut(&name).expect("counted when it was added");
            *count -= 1;
            if *count == 0 {
                self.clusters.remove(&name);
                self.named = None;
            }
        }
    }

    fn set_tls(&mut self, name: &ResourceRef, service: Option<&Service>) {
        let wanted = service.and_then(|service| Some((service.age.clone(), service.ssl()?.clone())));
        let before = self.tls_ages.remove(name).and_then(|age| self.tls.remove_entry(&age));
        self.listener_dirty |= before != wanted;
        if let Some((age, ssl)) = wanted {
            self.tls_ages.insert(name.clone(), age.clone());
            self.tls.insert(age, ssl);
        }
    }

    /// All clusters may have changed: needed where [`Self::wants_all_clusters`].
    pub(crate) fn forget_clusters(&mut self) {
        self.named = None;
    }

    /// What the routes would need if more were known, sorted.
    pub(crate) fn lacks(&self) -> Arc<[ResourceName]> {
        self.lacks.keys().cloned().collect()
    }

    /// The clusters that the routes need, sorted; `all` are the upstreams, asked for only when every one
    /// counts. The second value: whether they differ from those of the last call.
    pub(crate) fn named(&mut self, all: impl FnOnce() -> Vec<ResourceRef>) -> (Arc<[ResourceName]>, bool) {
        if let Some(named) = &self.named {
            return (named.clone(), false);
        }
        let mut named: BTreeSet<_> = self.clusters.keys().cloned().collect();
        if self.wants_all_clusters() {
            named.extend(all().iter().map(cluster));
        }
        let named: Arc<[ResourceName]> = named.into_iter().collect();
        self.named = Some(named.clone());
        (named, true)
    }
}

/// The clusters that the routes of a service need.
fn named(routes: &RouteSet) -> impl Iterator<Item = ResourceName> + '_ {
    let subscription =
        |secret: &ResourceRef| ResourceName::new(ResourceType::Cluster, names::secret_subscription(secret));
    routes.clusters.iter().map(cluster).chain(routes.secrets.iter().map(subscription))
}

fn cluster(upstream: &ResourceRef) -> ResourceName {
    ResourceName::new(ResourceType::Cluster, names::cluster(upstream))
}

/// The fields that decide which services a gateway serves.
fn selection(gateway: &Gateway) -> (bool, Option<HttpGateway>) {
    let http = gateway.http_gateway.as_ref();
    (gateway.ssl, http.map(|http| HttpGateway { options: None, ..http.clone() }))
}

fn in_namespaces(http: &HttpGateway, name: &ResourceRef) -> bool {
    let namespaces = &http.virtual_service_namespaces;
    namespaces.is_empty()
        || namespaces.iter().any(|namespace| namespace == "*" || *namespace == name.namespace)
}

/// Gloo's order of precedence: expressions, labels, references, all.
fn chosen(http: &HttpGateway, name: &ResourceRef, service: &Service) -> bool {
    let labels = &service.metadata.labels;
    if let Some(expressions) = &http.virtual_service_expressions {
        return expressions.expressions.iter().all(|expression| expression.matches(labels));
    }
    if !http.virtual_service_selector.is_empty() {
        return http.virtual_service_selector.iter().all(|(key, value)| labels.get(key) == Some(value));
    }
    http.virtual_services.is_empty() || http.virtual_services.contains(name)
}
