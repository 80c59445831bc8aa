//! From objects to Envoy's resources in one go: what the control plane does step by step, without any of its
//! bookkeeping.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::report::Report;
use biplane_core::resources::{Gateway, Object, VirtualService};
use biplane_translator::listener::{self, ListenerInput, TlsService};
use biplane_translator::route::{self, Placement, RouteSet};
use biplane_translator::{EnvoyName, EnvoyResource, EnvoyType, Output, names, secret, upstream};

use crate::objects::{self, Objects};

/// The resources, sorted by name, and the findings, sorted.
pub(crate) fn translate(objects: &Objects) -> (Vec<EnvoyResource>, Vec<Report>) {
    let mut all = All::default();
    let mut wanted = Wanted::default();
    for (object, gateway) in objects.all(objects::gateway) {
        translate_gateway(object, gateway, objects, &mut wanted, &mut all);
    }
    let gateways = objects.all(objects::gateway).count();
    for (object, upstream) in objects.all(objects::upstream) {
        let name = object.key.reference();
        // A case without a gateway is about its upstreams.
        if gateways == 0 || wanted.every || wanted.upstreams.contains(&name) {
            all.add(upstream::translate(&name, upstream, objects));
        }
    }
    for (object, secret) in objects.all(objects::secret) {
        all.add(secret::translate(&object.key.reference(), secret));
    }
    (all.resources.into_values().collect(), all.reports.into_iter().collect())
}

#[derive(Default)]
struct All {
    resources: BTreeMap<EnvoyName, EnvoyResource>,
    reports: BTreeSet<Report>,
}

impl All {
    fn add(&mut self, output: Output) {
        for resource in output.resources {
            let body = resource.body.clone();
            let before = self.resources.insert(resource.name.clone(), resource);
            let same = before.is_none_or(|before| before.body == body);
            assert!(same, "two resources of one name must be equal, byte for byte");
        }
        self.reports.extend(output.reports);
    }
}

/// The upstreams that some route wants.
#[derive(Default)]
struct Wanted {
    upstreams: BTreeSet<ResourceRef>,
    every: bool,
}

/// A virtual service of a gateway, translated both ways.
struct Service<'a> {
    key: &'a ObjectKey,
    spec: &'a VirtualService,
    alone: RouteSet,
    merged: RouteSet,
}

fn translate_gateway(
    object: &Object,
    gateway: &Gateway,
    objects: &Objects,
    wanted: &mut Wanted,
    all: &mut All,
) {
    let services: Vec<Service<'_>> = objects
        .all(objects::virtual_service)
        .filter(|(_, service)| service.ssl_config.is_some() == gateway.ssl)
        .map(|(object, spec)| Service {
            key: &object.key,
            spec,
            alone: route::virtual_service(&object.key, spec, Placement::VirtualHost, objects),
            merged: route::virtual_service(&object.key, spec, Placement::Routes, objects),
        })
        .collect();
    let tls: Vec<TlsService<'_>> = services
        .iter()
        .filter_map(|service| {
            Some(TlsService { service: service.key, ssl: service.spec.ssl_config.as_ref()? })
        })
        .collect();
    let connect = services.iter().any(|service| service.alone.connect);
    let input = ListenerInput { gateway: &object.key, spec: gateway, tls: &tls, connect };
    all.add(listener::translate(&input, objects));

    let mut hosts = Vec::new();
    for (indexes, domains) in shared_domains(&services) {
        let (host, reports) = virtual_host(&indexes, &domains, &services);
        hosts.push((host.name, host.bytes));
        all.reports.extend(reports);
    }
    hosts.sort();
    for service in &services {
        all.reports.extend(service.alone.reports.iter().cloned());
        wanted.upstreams.extend(service.alone.clusters.iter().cloned());
        wanted.every |= service.alone.cluster_header;
    }
    let clusters: Arc<[EnvoyName]> = clusters(&services, objects).into_iter().collect();
    let listener = names::listener(&gateway.address(), gateway.bind_port);
    let hosts = hosts.iter().map(|(_, bytes)| bytes);
    let routes = route::route_configuration(&listener, (&object.key, gateway), hosts, 0, clusters);
    all.add(Output { resources: vec![routes], ..Output::default() });
}

/// The domains, by the services that claim them.
fn shared_domains(services: &[Service<'_>]) -> BTreeMap<Vec<usize>, BTreeSet<String>> {
    let mut claims: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, service) in services.iter().enumerate() {
        let domains = service.spec.virtual_host.as_ref().map(|host| host.domains.clone()).unwrap_or_default();
        let domains = if domains.is_empty() { vec!["*".to_owned()] } else { domains };
        for domain in domains.into_iter().collect::<BTreeSet<_>>() {
            claims.entry(domain).or_default().push(index);
        }
    }
    let mut shared: BTreeMap<Vec<usize>, BTreeSet<String>> = BTreeMap::new();
    for (domain, indexes) in claims {
        shared.entry(indexes).or_default().insert(domain);
    }
    shared
}

fn virtual_host(
    indexes: &[usize],
    domains: &BTreeSet<String>,
    services: &[Service<'_>],
) -> (route::VirtualHost, Vec<Report>) {
    let services: Vec<&Service<'_>> = indexes.iter().map(|index| &services[*index]).collect();
    let agree = services.windows(2).all(|pair| pair[0].alone.host == pair[1].alone.host);
    let sets: Vec<(&ObjectKey, &RouteSet)> = services
        .iter()
        .map(|service| (service.key, if agree { &service.alone } else { &service.merged }))
        .collect();
    let names: Vec<ResourceRef> = services.iter().map(|service| service.key.reference()).collect();
    route::virtual_host(&names::virtual_host(&names), domains, &sets)
}

/// The clusters that the routes need.
fn clusters(services: &[Service<'_>], objects: &Objects) -> BTreeSet<EnvoyName> {
    let every = services.iter().any(|service| service.alone.cluster_header);
    let all = objects.all(objects::upstream).map(|(object, _)| object.key.reference()).filter(|_| every);
    let named = services.iter().flat_map(|service| service.alone.clusters.iter().cloned());
    let upstreams = named.chain(all).map(|name| names::cluster(&name));
    let secrets = services.iter().flat_map(|service| service.alone.secrets.iter());
    let subscriptions = secrets.map(names::secret_subscription);
    upstreams.chain(subscriptions).map(|name| EnvoyName::new(EnvoyType::Cluster, name)).collect()
}
