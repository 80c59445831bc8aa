//! What the graph knows that decides about one request. It is read in one step and judged elsewhere: whoever asks
//! holds up no transaction for longer than it takes to copy references.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use biplane_admin_api::explain::Target;
use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::report::Report;
use biplane_core::resources::gateway::http_connection_manager::HttpConnectionManagerSettings;
use biplane_core::resources::{Gateway, Upstream};
use biplane_translator::explain::host;
use biplane_translator::names;
use biplane_translator::route::RouteSet;
use biplane_xds::{ResourceName, ResourceType};
use bytes::Bytes;

use super::Graph;
use super::claims::{Claimants, Crowded};
use super::dependencies::Node;
use super::fleet::Address;
use super::gateway::GatewayNode;
use super::reports::Topic;
use super::service::Service;
use super::shared::Content;

/// The annotation of what tags made that says of which services.
const SERVICES: &str = "biplane.io/services";
/// How many services are named that a gateway does not serve.
const FEW: usize = 10;

/// What is asked, as far as it picks gateways and virtual hosts.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) target: Target,
    /// What the `Host` header says.
    pub(crate) authority: String,
    /// The host of a CONNECT request keeps its port.
    pub(crate) connect: bool,
    /// This gateway, whatever its port: its namespace, if that was said, and its name.
    pub(crate) gateway: Option<(Option<String>, String)>,
    pub(crate) fleet: Option<String>,
}

/// Everything that decides.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) gateways: Vec<GatewayFacts>,
    /// Why other gateways could not take the request.
    pub(crate) left_out: Vec<String>,
}

/// What decides on one gateway.
#[derive(Debug)]
pub(crate) struct GatewayFacts {
    pub(crate) name: ResourceRef,
    pub(crate) spec: Arc<Gateway>,
    pub(crate) address: Address,
    /// The fleets whose Envoys have its listener.
    pub(crate) fleets: Vec<String>,
    /// The fleets in which another gateway, which is older, has its address.
    pub(crate) rivals: Vec<(String, ResourceRef)>,
    /// The encoded listener.
    pub(crate) listener: Option<Bytes>,
    /// What there is to say about the listener.
    pub(crate) reports: Vec<Report>,
    /// The host that is looked for.
    pub(crate) authority: String,
    pub(crate) host: Option<HostFacts>,
    /// Services with a domain that would fit better, and why they are not served here.
    pub(crate) elsewhere: Vec<(ResourceRef, String, &'static str)>,
}

/// The virtual host that has the host of the request.
#[derive(Debug)]
pub(crate) struct HostFacts {
    pub(crate) domain: String,
    pub(crate) kind: host::Kind,
    pub(crate) domains: BTreeSet<String>,
    /// The services that share it, the oldest first.
    pub(crate) services: Vec<ServiceFacts>,
    /// Domains that match as well, but worse, and whose they are.
    pub(crate) wider: Vec<(String, Claimants)>,
    pub(crate) crowded: Option<Crowded>,
}

/// One virtual service.
#[derive(Debug)]
pub(crate) struct ServiceFacts {
    pub(crate) key: ObjectKey,
    pub(crate) routes: Arc<RouteSet>,
    /// The services whose tags made it.
    pub(crate) made_from: Option<String>,
    pub(crate) reports: Vec<Report>,
}

impl GatewayFacts {
    /// How the gateway deals with connections.
    pub(crate) fn settings(&self) -> HttpConnectionManagerSettings {
        settings(&self.spec)
    }
}

fn settings(gateway: &Gateway) -> HttpConnectionManagerSettings {
    let options = gateway.http_gateway.as_ref().and_then(|http| http.options.as_ref());
    options.and_then(|options| options.http_connection_manager_settings.clone()).unwrap_or_default()
}

impl Graph {
    /// What decides about a request.
    pub(crate) fn facts(&self, asked: &Asked) -> Facts {
        let mut facts = Facts::default();
        for (name, gateway) in &self.gateways {
            match left_out(name, gateway, asked) {
                None => facts.gateways.push(self.gateway_facts(name, gateway, asked)),
                Some(why) => facts.left_out.push(format!("Gateway {name} {why}")),
            }
        }
        facts
    }

    /// The domains of what services' tags made, and which services these are.
    pub(crate) fn made_domains(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        let made = self.services.values();
        made.filter_map(|service| {
            Some((service.metadata.annotations.get(SERVICES)?.as_str(), &service.domains))
        })
    }

    /// The upstream of a cluster that routes name; these are looked at first.
    pub(crate) fn upstream_of(&self, cluster: &str, named: &[ResourceRef]) -> Option<ResourceRef> {
        let all = named.iter().chain(self.tables.upstreams.keys());
        all.into_iter().find(|name| names::cluster(name) == cluster).cloned()
    }

    /// An upstream.
    pub(crate) fn upstream(&self, name: &ResourceRef) -> Option<&Arc<Upstream>> {
        self.tables.upstreams.get(name).map(|entry| &entry.spec)
    }

    /// Whether Envoys get a cluster of this name.
    pub(crate) fn has_cluster(&self, name: &str) -> bool {
        let cluster = self.shared.get(&ResourceName::new(ResourceType::Cluster, name));
        cluster.is_some_and(|cluster| cluster.resource().is_some())
    }

    /// What there is to say about an upstream.
    pub(crate) fn reports_of_upstream(&self, name: &ResourceRef) -> &[Report] {
        self.reports.of(&Topic::Node(Node::Upstream(name.clone())))
    }

    fn gateway_facts(&self, name: &ResourceRef, gateway: &GatewayNode, asked: &Asked) -> GatewayFacts {
        let strips = settings(&gateway.spec).strip_any_host_port == Some(true) && !asked.connect;
        let authority = if strips { host::without_port(&asked.authority) } else { &asked.authority };
        let address = gateway.address();
        let wanted = |fleet: &&str| asked.fleet.as_ref().is_none_or(|wanted| wanted == fleet);
        let (mut fleets, mut rivals) = (Vec::new(), Vec::new());
        for fleet in gateway.spec.fleets().into_iter().filter(wanted) {
            let owner = self.fleets.get(fleet).and_then(|fleet| fleet.owner(&address));
            match owner.filter(|owner| **owner != gateway.age) {
                Some(owner) => rivals.push((fleet.to_owned(), owner.key().reference())),
                None => fleets.push(fleet.to_owned()),
            }
        }
        let host = self.host_facts(gateway, authority);
        let listener = gateway.roots.listener.as_ref().and_then(Content::resource);
        GatewayFacts {
            name: name.clone(),
            spec: gateway.spec.clone(),
            fleets,
            rivals,
            listener: listener.map(|listener| listener.body.clone()),
            reports: self.reports.of(&Topic::Node(Node::Listener(name.clone()))).to_vec(),
            elsewhere: self.elsewhere(gateway, authority, host.as_ref()),
            authority: authority.to_owned(),
            host,
            address,
        }
    }

    fn host_facts(&self, gateway: &GatewayNode, authority: &str) -> Option<HostFacts> {
        let mut matching = host::candidates(authority).filter_map(|(domain, kind)| {
            let (group, domains) = gateway.claims.group(&domain)?;
            Some((domain, kind, group, domains))
        });
        let (domain, kind, group, domains) = matching.next()?;
        let wider = matching.map(|(domain, _, group, _)| (domain, group.clone())).collect();
        let services = self.route_sets(group).into_iter();
        let services = services.map(|(key, routes)| self.service_facts(key, routes)).collect();
        let crowded = gateway.claims.crowded(&domain).cloned();
        Some(HostFacts { domains: domains.clone(), domain, kind, services, wider, crowded })
    }

    fn service_facts(&self, key: ObjectKey, routes: Arc<RouteSet>) -> ServiceFacts {
        let name = key.reference();
        let service = self.services.get(&name);
        let made_from = service.and_then(|service| service.metadata.annotations.get(SERVICES).cloned());
        let reports = self.reports.of(&Topic::Node(Node::Service(name))).to_vec();
        ServiceFacts { key, routes, made_from, reports }
    }

    /// Looks at every service, as nothing else here does: this is for people who wonder where theirs is.
    fn elsewhere(
        &self,
        gateway: &GatewayNode,
        authority: &str,
        found: Option<&HostFacts>,
    ) -> Vec<(ResourceRef, String, &'static str)> {
        let better: HashMap<String, usize> = host::candidates(authority)
            .take_while(|(domain, _)| found.is_none_or(|found| found.domain != *domain))
            .enumerate()
            .map(|(rank, (domain, _))| (domain, rank))
            .collect();
        let of = |(name, service): (&ResourceRef, &Service)| {
            let ranks =
                service.domains.iter().filter_map(|domain| Some((*better.get(domain)?, domain.clone())));
            let (rank, domain) = ranks.min()?;
            Some((rank, name.clone(), domain, gateway.refusal(name, service)?))
        };
        let mut all: Vec<_> = self.services.iter().filter_map(of).collect();
        all.sort();
        all.truncate(FEW);
        all.into_iter().map(|(_, name, domain, why)| (name, domain, why)).collect()
    }
}

/// Why a gateway cannot take the request; none: it can.
fn left_out(name: &ResourceRef, gateway: &GatewayNode, asked: &Asked) -> Option<String> {
    let (address, port) = gateway.address();
    let fleets = gateway.spec.fleets();
    if let Some(fleet) = &asked.fleet
        && !fleets.contains(&fleet.as_str())
    {
        return Some(format!("is of fleet {}", fleets.join(", ")));
    }
    match &asked.gateway {
        Some((namespace, wanted)) => {
            let is_meant =
                *wanted == name.name && namespace.as_ref().is_none_or(|wanted| *wanted == name.namespace);
            if !is_meant {
                return Some("is not the one that was asked for".to_owned());
            }
        }
        None if asked.target.port.is_some_and(|asked| u32::from(asked) != port) => {
            return Some(format!("listens on {address} port {port}"));
        }
        None => {}
    }
    match (gateway.spec.ssl, asked.target.tls) {
        (true, false) => Some(format!("on port {port} speaks TLS (https)")),
        (false, true) => Some(format!("on port {port} does not speak TLS (http)")),
        _ => None,
    }
}
