//! The streams: what a request is told, each time that it is something else.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use biplane_consul_client::HealthEntry;
use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{Endpoint, Instance, Listing, Service, ServiceName, SourceError, Watch};
use futures::StreamExt as _;
use futures::stream::{once, pending, unfold};
use tokio::time::sleep_until;

use crate::catalog::Catalog;
use crate::merge::{Known, Parts};
use crate::names::Names;
use crate::subject::{Content, Subject};
use crate::view::{self, is_wanted, place};

/// What becomes of one instance.
type Make<T> = fn(&HealthEntry, &ConsulUpstream, IpAddr, NonZeroU16) -> T;

/// The endpoints of an upstream.
pub(crate) fn endpoints(
    catalog: &Arc<Catalog>,
    subjects: Vec<Subject>,
    upstream: ConsulUpstream,
) -> Watch<Vec<Endpoint>> {
    Instances::follow(catalog, subjects, upstream, view::endpoint)
}

/// The instances of a service, with their tags.
pub(crate) fn instances(catalog: &Arc<Catalog>, subjects: Vec<Subject>) -> Watch<Vec<Instance>> {
    Instances::follow(catalog, subjects, ConsulUpstream::default(), instance)
}

/// All services.
pub(crate) fn services(catalog: &Arc<Catalog>, subjects: Vec<Subject>) -> Watch<Vec<Service>> {
    let namespace = catalog.options.namespace.clone().unwrap_or_default();
    let list = List { parts: Parts::new(catalog, subjects), namespace, told: None };
    unfold(list, |list| async move { Some(list.next().await) }).boxed()
}

/// No time mends what a request asks for: it is told once.
pub(crate) fn refused<T: Send + 'static>(error: SourceError) -> Watch<T> {
    once(async { Listing::Failed(error) }).chain(pending()).boxed()
}

fn instance(entry: &HealthEntry, upstream: &ConsulUpstream, address: IpAddr, port: NonZeroU16) -> Instance {
    Instance {
        endpoint: view::endpoint(entry, upstream, address, port),
        node: entry.node.node.clone(),
        tags: entry.service.tags.clone(),
        canary: false,
        version: entry.service.modify_index,
    }
}

/// A stream of instances, as endpoints or with their tags.
struct Instances<T> {
    catalog: Arc<Catalog>,
    parts: Parts,
    upstream: ConsulUpstream,
    names: Names,
    make: Make<T>,
    told: Option<Listing<Vec<T>>>,
}

impl<T: Ord + Clone + Send + 'static> Instances<T> {
    fn follow(
        catalog: &Arc<Catalog>,
        subjects: Vec<Subject>,
        upstream: ConsulUpstream,
        make: Make<T>,
    ) -> Watch<Vec<T>> {
        let parts = Parts::new(catalog, subjects);
        let (catalog, names) = (Arc::clone(catalog), Names::default());
        let instances = Self { catalog, parts, upstream, names, make, told: None };
        unfold(instances, |instances| async move { Some(instances.next().await) }).boxed()
    }

    async fn next(mut self) -> (Listing<Vec<T>>, Self) {
        loop {
            let listing = match self.parts.known() {
                Known::Waiting => None,
                Known::Failed(error) => Some(Listing::Failed(error)),
                Known::All(parts) => Some(self.listing(parts.iter().map(|(_, content)| &**content)).await),
            };
            if let Some(listing) = listing.filter(|listing| self.told.as_ref() != Some(listing)) {
                self.told = Some(listing.clone());
                return (listing, self);
            }
            self.wait().await;
        }
    }

    /// Waits until something else may be known, be it by other addresses behind a name.
    async fn wait(&mut self) {
        match self.names.due(self.catalog.options.tuning.resolve) {
            None => self.parts.changed().await,
            Some(due) => {
                tokio::select! {
                    () = self.parts.changed() => {}
                    () = sleep_until(due) => {}
                }
            }
        }
    }

    async fn listing(&mut self, parts: impl Iterator<Item = &Content>) -> Listing<Vec<T>> {
        let wanted = parts.filter_map(|content| match content {
            Content::Instances(instances) => Some(instances),
            Content::Services(_) => None,
        });
        let wanted: Vec<_> = wanted.flatten().filter(|entry| is_wanted(entry, &self.upstream)).collect();
        let places: Vec<_> = wanted.iter().map(|entry| (*entry, place(entry, &self.upstream))).collect();
        let hosts: BTreeSet<&str> = places.iter().filter_map(|(_, place)| Some(place.as_ref()?.0)).collect();
        self.names.look_up(&hosts, self.catalog.options.tuning.resolve).await;
        let made = places.iter().filter_map(|(entry, place)| Some((*entry, (*place)?)));
        let made = made.flat_map(|(entry, (host, port))| {
            let addresses = self.names.addresses(host).into_iter();
            addresses.map(move |address| (entry, address, port))
        });
        let mut made: Vec<T> =
            made.map(|(entry, address, port)| (self.make)(entry, &self.upstream, address, port)).collect();
        made.sort();
        // An instance without an address costs only itself, but nowhere is not nothing.
        if made.is_empty() && !wanted.is_empty() {
            return Listing::Failed(nowhere(&hosts));
        }
        Listing::Complete(made)
    }
}

/// There are instances, and none can be reached.
fn nowhere(hosts: &BTreeSet<&str>) -> SourceError {
    match hosts.iter().next() {
        None => SourceError::invalid("no instance of the service has a port")
            .hint("register it with one, or write port: in the upstream"),
        Some(host) => {
            SourceError::new(format!("the names of all instances cannot be looked up, such as {host:?}"))
                .hint("is it known to the DNS of this machine?")
        }
    }
}

/// A stream of services.
struct List {
    parts: Parts,
    namespace: String,
    told: Option<Listing<Vec<Service>>>,
}

impl List {
    async fn next(mut self) -> (Listing<Vec<Service>>, Self) {
        loop {
            let listing = match self.parts.known() {
                Known::Waiting => None,
                Known::Failed(error) => Some(Listing::Failed(error)),
                Known::All(parts) => Some(Listing::Complete(self.listed(&parts))),
            };
            if let Some(listing) = listing.filter(|listing| self.told.as_ref() != Some(listing)) {
                self.told = Some(listing.clone());
                return (listing, self);
            }
            self.parts.changed().await;
        }
    }

    fn listed(&self, parts: &[(Option<String>, Arc<Content>)]) -> Vec<Service> {
        let mut listed = Vec::new();
        for (datacenter, content) in parts {
            let Content::Services(services) = &**content else { continue };
            listed.extend(services.iter().map(|(name, tags)| Service {
                name: ServiceName {
                    datacenter: datacenter.clone().unwrap_or_default(),
                    namespace: self.namespace.clone(),
                    name: name.clone(),
                },
                tags: tags.iter().cloned().collect(),
            }));
        }
        listed.sort();
        listed
    }
}
