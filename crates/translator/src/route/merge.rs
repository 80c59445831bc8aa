//! Virtual hosts: the encoded routes of the services that share some domains, joined.
//!
//! One service is the usual case, and its routes go in as they are. Of several, [`order`] merges
//! the routes, and [`conflict`] drops what an older service already matches by the same words.

mod conflict;
mod order;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_core::report::Report;
use bytes::{Bytes, BytesMut};

use super::{EncodedRoute, HostOptions, RouteSet, wire};

/// Numbers of fields of `VirtualHost`. Host options have higher ones.
const NAME: u32 = 1;
const DOMAINS: u32 = 2;
const ROUTES: u32 = 3;

/// An encoded virtual host.
#[derive(Clone, PartialEq, Eq)]
pub struct VirtualHost {
    /// Its name.
    pub name: Arc<str>,
    /// The `envoy.config.route.v3.VirtualHost` in canonical encoding.
    pub bytes: Bytes,
}

/// Without its content: that may hold keys of clients.
impl fmt::Debug for VirtualHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualHost").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The virtual host of `services`, the oldest first, for the domains that they share. Services whose
/// [`HostOptions`] differ come with [`Placement::Routes`](super::Placement::Routes).
///
/// The reports are about conflicts: on the younger owner an error, on the older one a warning.
pub fn virtual_host(
    name: &str,
    domains: &BTreeSet<String>,
    services: &[(&ObjectKey, &RouteSet)],
) -> (VirtualHost, Vec<Report>) {
    let mut reports = Vec::new();
    let hosts: Vec<_> = services.iter().map(|(_, set)| &set.host).collect();
    let host = HostOptions::shared(&hosts);
    let bytes = if let [(_, set)] = services {
        join(name, domains, set.routes.iter(), &host)
    } else {
        let (routes, lost) = conflict::survivors(services);
        reports = conflict::reports(services, &lost, domains);
        let merged = order::merged(services, &routes);
        let merged = merged.into_iter().map(|(service, index)| &services[service].1.routes[index]);
        join(name, domains, merged, &host)
    };
    reports.sort();
    reports.dedup();
    (VirtualHost { name: name.into(), bytes }, reports)
}

/// The routes of a virtual host, each with the service that it is of.
#[derive(Clone, Debug, Default)]
pub struct Merged<'a> {
    /// In the order in which Envoy tries them.
    pub routes: Vec<(&'a ObjectKey, &'a EncodedRoute)>,
    /// Those that Envoy does not get.
    pub lost: Vec<Lost<'a>>,
}

/// A route that Envoy does not get: an older service matches the same requests by the same words.
#[derive(Clone, Debug)]
pub struct Lost<'a> {
    /// The service.
    pub service: &'a ObjectKey,
    /// Its route.
    pub route: &'a EncodedRoute,
    /// The older service.
    pub older: &'a ObjectKey,
    /// The route that Envoy gets.
    pub holder: &'a EncodedRoute,
}

/// The routes that [`virtual_host`] joins, with their owners: for people who ask.
pub fn merged<'a>(services: &[(&'a ObjectKey, &'a RouteSet)]) -> Merged<'a> {
    let of = |(service, index): (usize, usize)| {
        let (key, set) = services[service];
        (key, &set.routes[index])
    };
    if let [(key, set)] = services {
        let routes = set.routes.iter().map(|route| (*key, route)).collect();
        return Merged { routes, lost: Vec::new() };
    }
    let (routes, lost) = conflict::survivors(services);
    let lost = lost.into_iter().map(|(holder, lost)| {
        let ((older, holder), (service, route)) = (of(holder), of(lost));
        Lost { service, route, older, holder }
    });
    let lost = lost.collect();
    Merged { routes: order::merged(services, &routes).into_iter().map(of).collect(), lost }
}

fn join<'a>(
    name: &str,
    domains: &BTreeSet<String>,
    routes: impl Iterator<Item = &'a EncodedRoute> + Clone,
    host: &Bytes,
) -> Bytes {
    let texts: usize = domains.iter().map(|domain| wire::put_len(DOMAINS, domain.as_bytes())).sum();
    let encoded: usize = routes.clone().map(|route| wire::put_len(ROUTES, &route.bytes)).sum();
    let length = wire::put_len(NAME, name.as_bytes()) + texts + encoded + host.len();
    let mut buffer = BytesMut::with_capacity(length);
    wire::put(NAME, name.as_bytes(), &mut buffer);
    for domain in domains {
        wire::put(DOMAINS, domain.as_bytes(), &mut buffer);
    }
    for route in routes {
        wire::put(ROUTES, &route.bytes, &mut buffer);
    }
    buffer.extend_from_slice(host);
    buffer.freeze()
}
