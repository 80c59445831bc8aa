//! What is known of services, and what is made of them. No I/O; the clock is passed in.
//!
//! A service that its source does not list any more keeps its objects for a while ([`GRACE`]): a job that is restarted
//! leaves the catalog for a moment. Many that vanish at once are held ([`Vanished`]). A service without instances
//! keeps what its last ones asked for, so that its routes answer 503 and not 404.
//!
//! Until everything is known for the first time, nothing that the last run made is changed: half of the services would
//! make half of a host's routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use biplane_admin_api::status::ServiceStatus;
use biplane_core::key::ObjectKey;
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_source::{Health, Instance, Listing, Service, ServiceName};
use biplane_tags::finding::Finding;
use biplane_tags::service::{self as tagged, ServiceId, SourceKind};
use biplane_tags::table::{Changes, Table};
use tokio::time::Instant;

use super::seen::Seen;
use super::{CatalogSettings, Item, Made, upstreams};
use crate::ingest::MadeObject;
use crate::vanished::{Sourced, Vanished};

/// How long the objects of a service stay that is not listed any more.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// How long the first objects wait until all services are known.
const PATIENCE: Duration = Duration::from_secs(5);

impl Sourced for Item {
    fn source(&self) -> &Arc<str> {
        &self.source
    }
}

/// What is known of one source.
#[derive(Debug)]
struct OfSource {
    kind: &'static str,
    makes_upstreams: bool,
    /// The services that it has listed; none: it never has.
    listed: Option<BTreeSet<ServiceName>>,
}

/// Everything that is known.
#[derive(Debug)]
pub(super) struct Shelf {
    settings: CatalogSettings,
    sources: BTreeMap<Arc<str>, OfSource>,
    table: Table,
    /// Services whose tags may ask for something.
    wanted: BTreeSet<Item>,
    /// Those of them whose instances have been told.
    told: BTreeSet<Item>,
    vanished: Vanished<Item>,
    /// Objects that changed since they were taken; none: it is not made any more.
    pending: BTreeMap<ObjectKey, Option<MadeObject>>,
    /// Whether everything was known once.
    settled: bool,
    patience: Option<Instant>,
    /// Something has been told since what was made was taken.
    news: bool,
    prefixes: Vec<String>,
    /// For people only.
    seen: Seen,
}

impl Shelf {
    /// Nothing is known of these sources, by name and kind.
    pub(super) fn new(
        settings: CatalogSettings,
        sources: BTreeMap<Arc<str>, &'static str>,
        now: Instant,
    ) -> Self {
        let of = |(name, kind): (Arc<str>, &'static str)| {
            let makes_upstreams = settings.upstreams.contains(&*name);
            (name, OfSource { kind, makes_upstreams, listed: None })
        };
        Self {
            sources: sources.into_iter().map(of).collect(),
            table: Table::new(settings.tags.clone()),
            prefixes: prefixes(&settings),
            settings,
            wanted: BTreeSet::new(),
            told: BTreeSet::new(),
            vanished: Vanished::new(GRACE),
            pending: BTreeMap::new(),
            settled: false,
            patience: Some(now + PATIENCE),
            news: true,
            seen: Seen::default(),
        }
    }

    /// The services whose instances are to be watched.
    pub(super) const fn wanted(&self) -> &BTreeSet<Item> {
        &self.wanted
    }

    /// A source has told which services there are.
    pub(super) fn services(&mut self, source: &Arc<str>, listing: Listing<Vec<Service>>, now: Instant) {
        let Listing::Complete(services) = listing else { return };
        self.news = true;
        self.seen.listed(source, &services);
        let mut names = BTreeSet::new();
        for service in services {
            let item = Item { source: source.clone(), name: service.name.clone() };
            self.vanished.forget(&item);
            if self.concerns(&service) {
                self.wanted.insert(item);
            } else {
                self.drop_tags(&item);
            }
            names.insert(service.name);
        }
        let Some(of_source) = self.sources.get_mut(source) else { return };
        let before = of_source.listed.replace(names.clone()).unwrap_or_default();
        for name in names.difference(&before) {
            self.put_upstream(&Item { source: source.clone(), name: name.clone() });
        }
        for name in before.difference(&names) {
            self.vanished.add(&Item { source: source.clone(), name: name.clone() }, now);
        }
    }

    /// The instances of a service.
    pub(super) fn instances(&mut self, item: &Item, listing: Listing<Vec<Instance>>) {
        let Listing::Complete(instances) = listing else { return };
        if !self.wanted.contains(item) {
            return;
        }
        self.news = true;
        self.told.insert(item.clone());
        self.seen.told(item, &instances);
        // Without instances nobody says anything else than before; whether the service is gone, its source's list says.
        let Some(id) = self.id(item).filter(|_| !instances.is_empty()) else { return };
        let service =
            tagged::Service { id: id.clone(), instances: instances.into_iter().map(instance).collect() };
        let changes = self.table.set(&id, Some(&service));
        self.take(changes);
    }

    /// Does what time has made due.
    pub(super) fn on_time(&mut self, now: Instant) {
        let stock = |(name, source): (&Arc<str>, &OfSource)| {
            (name.clone(), source.stock() + self.vanished.count(name))
        };
        let stock: BTreeMap<_, _> = self.sources.iter().map(stock).collect();
        let (gone, held) = self.vanished.judge(now, |source| stock.get(source).copied().unwrap_or_default());
        self.news |= !gone.is_empty() || !held.is_empty();
        for item in &gone {
            self.remove(item);
        }
        if self.patience.is_some_and(|until| until <= now) {
            self.patience = None;
            self.news = true;
        }
    }

    /// An operator means that what a source does not show is gone.
    pub(super) fn accept(&mut self, source: &str, now: Instant) {
        self.news = true;
        for item in self.vanished.accept(source, now) {
            self.remove(&item);
        }
    }

    /// When [`Self::on_time`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = self.patience.filter(|_| !self.settled);
        [self.vanished.deadline(), patience].into_iter().flatten().min()
    }

    /// What has changed since the last call, if anything was told.
    pub(super) fn take_made(&mut self, now: Instant) -> Option<Made> {
        if !std::mem::take(&mut self.news) {
            return None;
        }
        let waits_for = self.waits_for();
        if waits_for.is_empty() {
            self.settled = true;
            self.table.settle();
        } else if !self.settled && self.patience.is_some_and(|until| now < until) {
            return None;
        }
        let (mut puts, mut deletions) = (Vec::new(), Vec::new());
        for (key, object) in std::mem::take(&mut self.pending) {
            match object {
                Some(object) => puts.push(object),
                None => deletions.push(key),
            }
        }
        let waits_for = if self.settled { BTreeSet::new() } else { waits_for };
        let findings = self.table.findings().map(report).collect();
        Some(Made { puts, deletions, findings, waits_for, held: self.vanished.held().into_iter().collect() })
    }

    /// What is known of every service, for people.
    pub(super) fn status(&self) -> Vec<ServiceStatus> {
        let mut counts = BTreeMap::<String, u64>::new();
        for finding in self.table.findings() {
            *counts.entry(finding.service.to_string()).or_default() += 1;
        }
        let count = |item: &Item| self.id(item).and_then(|id| counts.get(&id.to_string()).copied());
        self.seen.status(|item| count(item).unwrap_or_default())
    }

    /// The sources of which something is not known that is needed.
    fn waits_for(&self) -> BTreeSet<Arc<str>> {
        let unlisted = self.sources.iter().filter(|(_, source)| source.listed.is_none());
        let untold = self.wanted.difference(&self.told).map(|item| item.source.clone());
        unlisted.map(|(name, _)| name.clone()).chain(untold).collect()
    }

    /// Whether tags of this service may ask for something.
    fn concerns(&self, service: &Service) -> bool {
        let tags = &self.settings.tags;
        let by_default = tags.biplane.enabled && tags.biplane.exposed_by_default
            || tags.traefik.enabled && tags.traefik.exposed_by_default;
        let is_ours = |tag: &String| self.prefixes.iter().any(|prefix| starts_with(tag, prefix));
        by_default || service.tags.iter().any(is_ours)
    }

    fn put_upstream(&mut self, item: &Item) {
        let makes_upstreams = self.sources.get(&item.source).is_some_and(|source| source.makes_upstreams);
        if let Some(id) = self.id(item).filter(|_| makes_upstreams) {
            let made = upstreams::upstream(item, &id);
            self.pending.insert(made.key.clone(), Some(made));
        }
    }

    /// The service is gone.
    fn remove(&mut self, item: &Item) {
        self.seen.forget(item);
        self.drop_tags(item);
        if self.sources.get(&item.source).is_some_and(|source| source.makes_upstreams) {
            self.pending.insert(upstreams::key(item), None);
        }
    }

    /// The service asks for nothing any more.
    fn drop_tags(&mut self, item: &Item) {
        if !self.wanted.remove(item) {
            return;
        }
        self.told.remove(item);
        self.seen.unwatched(item);
        if let Some(id) = self.id(item) {
            let changes = self.table.set(&id, None);
            self.take(changes);
        }
    }

    fn take(&mut self, changes: Changes) {
        for document in changes.puts {
            let made = MadeObject { key: document.key.clone(), value: document.value };
            self.pending.insert(document.key, Some(made));
        }
        for key in changes.deletions {
            self.pending.insert(key, None);
        }
    }

    fn id(&self, item: &Item) -> Option<ServiceId> {
        let source = match self.sources.get(&item.source)?.kind {
            "nomad" => SourceKind::Nomad,
            "consul" => SourceKind::Consul,
            _ => return None,
        };
        Some(ServiceId {
            source,
            source_name: item.source.to_string(),
            datacenter: item.name.datacenter.clone(),
            namespace: item.name.namespace.clone(),
            name: item.name.name.clone(),
        })
    }
}

impl OfSource {
    fn stock(&self) -> usize {
        self.listed.as_ref().map_or(0, BTreeSet::len)
    }
}

/// What tags start with that may ask for something.
fn prefixes(settings: &CatalogSettings) -> Vec<String> {
    let tags = &settings.tags;
    let dotted = [(tags.biplane.enabled, &tags.biplane.prefix), (tags.traefik.enabled, &tags.traefik.prefix)];
    let dotted = dotted.into_iter().filter(|(enabled, _)| *enabled).map(|(_, prefix)| format!("{prefix}."));
    dotted.chain(tags.fabio.enabled.then(|| tags.fabio.prefix.clone())).collect()
}

/// Tags are compared without regard to case, as Traefik does, and may begin with blanks.
fn starts_with(tag: &str, prefix: &str) -> bool {
    let tag = tag.trim_start();
    tag.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn instance(instance: Instance) -> tagged::Instance {
    let endpoint = instance.endpoint;
    tagged::Instance {
        node: instance.node,
        tags: instance.tags,
        address: endpoint.address.to_string(),
        port: endpoint.port.get(),
        healthy: matches!(endpoint.health, Health::Healthy | Health::Unknown),
        canary: instance.canary,
        version: instance.version,
        id: endpoint.id,
    }
}

/// A finding in the words of objects. It is about no object, so the service comes first.
fn report(finding: &Finding) -> Report {
    let ServiceId { source_name, datacenter, namespace, name, .. } = &finding.service;
    let parts = [datacenter, namespace, name].into_iter().filter(|part| !part.is_empty());
    let service = parts.map(String::as_str).collect::<Vec<_>>().join("/");
    let mut message = format!("service {service} of {source_name}: ");
    if let Some(instance) = &finding.instance {
        message = format!("{message}instance {instance}: ");
    }
    if let Some(tag) = &finding.tag {
        message = format!("{message}tag {tag:?}: ");
    }
    message.push_str(&finding.message);
    if let Some(other) = &finding.other {
        message = format!("{message} (the other is {other})");
    }
    Report {
        object: None,
        location: None,
        path: FieldPath::root(),
        severity: finding.severity,
        message,
        hint: finding.hint.clone(),
    }
}
