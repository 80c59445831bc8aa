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
use biplane_source::{Health, Instance, Listing, Service, ServiceName};
use biplane_tags::service::{self as tagged, ServiceId, SourceKind};
use biplane_tags::table::{Changes, Findings, Table};
use tokio::time::Instant;

use super::listed::Listed;
use super::seen::Seen;
use super::{CatalogSettings, Instances, Item, Made, upstreams};
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
    listed: Option<Listed>,
}

/// What is told beside the objects.
#[derive(Clone, Debug)]
struct Said {
    findings: Findings,
    waits_for: BTreeSet<Arc<str>>,
    held: BTreeMap<Arc<str>, usize>,
}

/// Everything that is known.
#[derive(Debug)]
pub(super) struct Shelf {
    settings: CatalogSettings,
    sources: BTreeMap<Arc<str>, OfSource>,
    table: Table,
    /// Services whose tags may ask for something.
    wanted: BTreeSet<Item>,
    /// Those of them whose instances have not been told yet.
    untold: BTreeSet<Item>,
    /// Those whose watches are to begin, or to end, since they were taken.
    turns: BTreeMap<Item, bool>,
    vanished: Vanished<Item>,
    /// Objects that changed since they were taken; none: it is not made any more.
    pending: BTreeMap<ObjectKey, Option<MadeObject>>,
    /// Whether everything was known once.
    settled: bool,
    patience: Option<Instant>,
    /// Something has been told since what was made was taken.
    news: bool,
    /// What was said when it was taken last.
    said: Option<Said>,
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
            untold: BTreeSet::new(),
            turns: BTreeMap::new(),
            vanished: Vanished::new(GRACE),
            pending: BTreeMap::new(),
            settled: false,
            patience: Some(now + PATIENCE),
            news: true,
            said: None,
            seen: Seen::default(),
        }
    }

    /// The services whose watches are to begin (true) or to end since the last call.
    pub(super) fn take_turns(&mut self) -> BTreeMap<Item, bool> {
        std::mem::take(&mut self.turns)
    }

    /// A source has told which services there are.
    pub(super) fn services(&mut self, source: &Arc<str>, listing: Listing<Vec<Service>>, now: Instant) {
        let Listing::Complete(services) = listing else { return };
        let Some(of_source) = self.sources.get_mut(source) else { return };
        let change = of_source.listed.get_or_insert_default().replace(services);
        self.news = true;
        let item = |name: ServiceName| Item { source: source.clone(), name };
        for name in change.new.iter().map(|service| service.name.clone()) {
            let item = item(name);
            self.vanished.forget(&item);
            self.put_upstream(&item);
        }
        let mut unwanted = Vec::new();
        for service in change.new.into_iter().chain(change.retagged) {
            let (item, concerns) = (item(service.name.clone()), self.concerns(&service));
            self.seen.listed(&item, service.tags);
            if concerns {
                self.want(item);
            } else {
                unwanted.push(item);
            }
        }
        self.drop_tags(&unwanted);
        for name in change.gone {
            let item = item(name);
            self.seen.unlisted(&item);
            self.vanished.add(&item, now);
        }
    }

    /// The instances of services. Those that are told at once are taken over at once.
    pub(super) fn instances(&mut self, told: Vec<Instances>) {
        let mut services = Vec::new();
        for (item, listing) in told {
            let Listing::Complete(instances) = listing else { continue };
            if !self.wanted.contains(&item) {
                continue;
            }
            self.news = true;
            self.untold.remove(&item);
            self.seen.told(&item, &instances);
            // Without instances nobody says anything else than before; whether the service is gone, its source's list says.
            let Some(id) = self.id(&item).filter(|_| !instances.is_empty()) else { continue };
            let instances = instances.into_iter().map(instance).collect();
            services.push(tagged::Service { id, instances });
        }
        let changes = self.table.set_all(services.iter().map(|service| (&service.id, Some(service))));
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
        self.remove(&gone);
        if self.patience.is_some_and(|until| until <= now) {
            self.patience = None;
            self.news = true;
        }
    }

    /// An operator means that what a source does not show is gone.
    pub(super) fn accept(&mut self, source: &str, now: Instant) {
        self.news = true;
        let gone = self.vanished.accept(source, now);
        self.remove(&gone);
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
        let waits_for = if self.settled { BTreeSet::new() } else { self.waits_for() };
        if !self.settled && waits_for.is_empty() {
            self.settled = true;
            self.table.settle();
        } else if !self.settled && self.patience.is_some_and(|until| now < until) {
            return None;
        }
        let findings = self.table.all_findings().clone();
        let said = Said { findings, waits_for, held: self.vanished.held() };
        if self.pending.is_empty() && self.said.as_ref().is_some_and(|before| before.is_same(&said)) {
            return None;
        }
        self.said = Some(said.clone());
        let (mut puts, mut deletions) = (Vec::new(), Vec::new());
        for (key, object) in std::mem::take(&mut self.pending) {
            match object {
                Some(object) => puts.push(object),
                None => deletions.push(key),
            }
        }
        let Said { findings, waits_for, held } = said;
        Some(Made { puts, deletions, findings, waits_for, held: held.into_iter().collect() })
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
        let is_unknown = |(name, source): &(&Arc<str>, &OfSource)| {
            let first = Item { source: (*name).clone(), name: ServiceName::default() };
            let untold = self.untold.range(first..).next();
            source.listed.is_none() || untold.is_some_and(|item| item.source == **name)
        };
        self.sources.iter().filter(is_unknown).map(|(name, _)| name.clone()).collect()
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

    /// These services are gone.
    fn remove(&mut self, gone: &[Item]) {
        self.drop_tags(gone);
        for item in gone {
            self.seen.forget(item);
            if self.sources.get(&item.source).is_some_and(|source| source.makes_upstreams) {
                self.pending.insert(upstreams::key(item), None);
            }
        }
    }

    /// The service may ask for something.
    fn want(&mut self, item: Item) {
        if self.wanted.insert(item.clone()) {
            self.untold.insert(item.clone());
            self.turns.insert(item, true);
        }
    }

    /// These services ask for nothing any more.
    fn drop_tags(&mut self, items: &[Item]) {
        let mut ids = Vec::new();
        for item in items {
            if self.wanted.remove(item) {
                self.untold.remove(item);
                self.turns.insert(item.clone(), false);
                self.seen.unwatched(item);
                ids.extend(self.id(item));
            }
        }
        let changes = self.table.set_all(ids.iter().map(|id| (id, None)));
        self.take(changes);
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
        self.listed.as_ref().map_or(0, Listed::len)
    }
}

impl Said {
    fn is_same(&self, other: &Self) -> bool {
        let same = self.findings.is_same(&other.findings);
        same && self.waits_for == other.waits_for && self.held == other.held
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
