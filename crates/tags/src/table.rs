//! The table of all routers: services in, changes of documents out.
//!
//! Routers are kept by their service. Each claims the domains that its rule is bound to, and a change costs the
//! domains that the changed routers touch. Whoever claimed a domain first is its senior: identical rules, and hosts that are not
//! shared, stay with the senior however important a later router calls itself. Until the table is settled all are
//! equally senior and their ids decide, so that every replica starts alike in whatever order its sources answer.

mod domain;
mod entry;
mod findings;
mod gateways;
mod hosts;
mod made;
mod names;
pub(crate) mod policy;
mod probe;
mod tls;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use serde_json::Value;

use crate::compile::Domain;
use crate::fabio::FabioReader;
use crate::finding::Finding;
use crate::own::OwnReader;
use crate::reader::{Reader, Reading};
use crate::rollout;
use crate::router::{Dialect, Router};
use crate::service::{Service, ServiceId, SourceKind};
use crate::settings::Settings;
use crate::traefik::TraefikReader;
use entry::Entry;
pub use findings::Findings;
use hosts::Hosts;
use made::Made;

/// What changed, sorted by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Documents that are new or different.
    pub puts: Vec<Document>,
    /// Objects that are gone.
    pub deletions: Vec<ObjectKey>,
}

/// One object as a store would show it.
#[derive(Clone, PartialEq)]
pub struct Document {
    /// Which object.
    pub key: ObjectKey,
    /// `metadata` beside the fields.
    pub value: Value,
}

/// Without its content: that of a secret must not be shown.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Which router it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct RouterKey {
    owner: ServiceId,
    dialect: Dialect,
    name: String,
}

/// A router, and what serves it; `None`: it was refused, or waits for its name.
struct Held {
    router: Router,
    entry: Option<Arc<Entry>>,
}

/// What findings are about, and replaced with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Tags(ServiceId, Dialect),
    Router(RouterKey),
    Domain(Domain),
}

/// A name that only one service of a source may give to a router.
type ExclusiveName = (SourceKind, String, Dialect, String);

/// All routers, and the documents that serve them.
pub struct Table {
    settings: Settings,
    marks: Vec<String>,
    readers: Vec<(Dialect, Box<dyn Reader + Send>)>,
    routers: BTreeMap<RouterKey, Held>,
    /// Who wants each name since when: the first has it.
    names: BTreeMap<ExclusiveName, BTreeSet<(u64, RouterKey)>>,
    hosts: Hosts,
    made: Made,
    findings: Findings,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("routers", &self.routers.len()).finish_non_exhaustive()
    }
}

impl Table {
    /// A table without services.
    pub fn new(settings: Settings) -> Self {
        let mut readers: Vec<(Dialect, Box<dyn Reader + Send>)> = Vec::new();
        let mut marks = Vec::new();
        if settings.biplane.enabled {
            readers.push((Dialect::Own, Box::new(OwnReader::new(&settings))));
            marks.push(format!("{}.canary", settings.biplane.prefix));
        }
        if settings.traefik.enabled {
            readers.push((Dialect::Traefik, Box::new(TraefikReader::new(&settings))));
            let prefix = &settings.traefik.prefix;
            marks.extend(["nomad", "consulcatalog"].map(|source| format!("{prefix}.{source}.canary")));
        }
        if settings.fabio.enabled {
            readers.push((Dialect::Fabio, Box::new(FabioReader::new(&settings))));
        }
        Self {
            settings,
            marks,
            readers,
            routers: BTreeMap::new(),
            names: BTreeMap::new(),
            hosts: Hosts::default(),
            made: Made::default(),
            findings: Findings::default(),
        }
    }

    /// Takes over what a service is now; `None`: it is gone.
    pub fn set(&mut self, id: &ServiceId, service: Option<&Service>) -> Changes {
        self.set_all([(id, service)])
    }

    /// Takes over what several services are now. Their domains are made once: a first reading, and any that brings
    /// many services of one host, is far cheaper so than one by one.
    pub fn set_all<'a>(
        &mut self,
        services: impl IntoIterator<Item = (&'a ServiceId, Option<&'a Service>)>,
    ) -> Changes {
        let mut touched = BTreeSet::new();
        for (id, service) in services {
            for (dialect, reading) in self.read(id, service) {
                self.take(dialect, reading, &mut touched);
            }
        }
        for domain in &touched {
            self.serve(domain);
        }
        self.made.changes()
    }

    fn read(&mut self, id: &ServiceId, service: Option<&Service>) -> Vec<(Dialect, Reading)> {
        let lineup = service.map(|service| rollout::lineup(service, &self.marks));
        let mut readings = Vec::new();
        for (dialect, reader) in &mut self.readers {
            readings.extend(reader.set(id, lineup.as_ref()).into_iter().map(|reading| (*dialect, reading)));
        }
        readings
    }

    /// All services are known that were there at the start: from now on those that come later are junior.
    pub fn settle(&mut self) {
        self.hosts.settle();
    }

    /// All findings, in a stable order.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }

    /// The same, to be kept.
    pub const fn all_findings(&self) -> &Findings {
        &self.findings
    }

    fn take(&mut self, dialect: Dialect, reading: Reading, touched: &mut BTreeSet<Domain>) {
        let Reading { owner, routers, findings } = reading;
        self.findings.say(Subject::Tags(owner.clone(), dialect), findings);
        let first = RouterKey { owner, dialect, name: String::new() };
        let before = self.routers.range(&first..).map(|(key, _)| key);
        let mut gone: BTreeSet<_> =
            before.take_while(|key| key.owner == first.owner && key.dialect == dialect).cloned().collect();
        // Those that come go before those that leave, so that a service that renames a router keeps its seats.
        for router in routers {
            let key = RouterKey { owner: router.owner.clone(), dialect, name: router.name.clone() };
            gone.remove(&key);
            if self.routers.get(&key).is_none_or(|held| held.router != router) {
                self.put(&key, router, touched);
            }
        }
        for key in gone {
            self.remove(&key, touched);
        }
    }

    fn put(&mut self, key: &RouterKey, router: Router, touched: &mut BTreeSet<Domain>) {
        let name = exclusive_name(&router);
        let before = self.routers.get(key).map(|held| exclusive_name(&held.router));
        if before.as_ref().is_some_and(|before| *before != name) {
            self.remove(key, touched);
        }
        let displaced = name.and_then(|name| self.ask_for(name, key));
        self.admit(key, router, touched);
        if let Some(displaced) = displaced {
            self.admit_again(&displaced, touched);
        }
    }

    /// Notes who wants a name, and returns who had it and has it no longer.
    fn ask_for(&mut self, name: ExclusiveName, key: &RouterKey) -> Option<RouterKey> {
        let now = self.hosts.now();
        let wanted_by = self.names.entry(name).or_default();
        if wanted_by.iter().any(|(_, each)| each == key) {
            return None;
        }
        let holder = wanted_by.first().map(|(_, holder)| holder.clone());
        wanted_by.insert((now, key.clone()));
        holder.filter(|_| wanted_by.first().is_some_and(|(_, first)| first == key))
    }

    fn admit_again(&mut self, key: &RouterKey, touched: &mut BTreeSet<Domain>) {
        if let Some(router) = self.routers.get(key).map(|held| held.router.clone()) {
            self.admit(key, router, touched);
        }
    }

    /// Checks a router and puts it into the place of what was served under its key.
    fn admit(&mut self, key: &RouterKey, router: Router, touched: &mut BTreeSet<Domain>) {
        let (entry, findings) = match self.name_is_taken(key, &router) {
            Some(finding) => (None, vec![finding]),
            None => entry::admit(&router, &self.settings),
        };
        let entry = entry.map(Arc::new);
        self.findings.say(Subject::Router(key.clone()), findings);
        let before = self.routers.insert(key.clone(), Held { router, entry: entry.clone() });
        let before = before.and_then(|held| held.entry);
        self.hosts.replace(key, before.as_deref(), entry.as_ref(), touched);
        self.made.need(entry.iter().flat_map(|entry| &entry.needs));
        self.made.release(before.iter().flat_map(|entry| &entry.needs));
    }

    fn name_is_taken(&self, key: &RouterKey, router: &Router) -> Option<Finding> {
        let (_, holder) = self.names.get(&exclusive_name(router)?)?.first()?;
        if holder.owner == key.owner {
            return None;
        }
        let message =
            format!("another service has a router named {:?}, so this one is not served", router.name);
        let finding = Finding::error(&router.owner, message).other(&holder.owner);
        Some(entry::blame(finding, router).hint("give the router a name of its own"))
    }

    fn remove(&mut self, key: &RouterKey, touched: &mut BTreeSet<Domain>) {
        let Some(held) = self.routers.remove(key) else { return };
        self.findings.forget(&Subject::Router(key.clone()));
        self.hosts.replace(key, held.entry.as_deref(), None, touched);
        self.made.release(held.entry.iter().flat_map(|entry| &entry.needs));
        if let Some(name) = exclusive_name(&held.router) {
            self.pass_on(&name, key, touched);
        }
    }

    /// The next that waits for a name gets it.
    fn pass_on(&mut self, name: &ExclusiveName, key: &RouterKey, touched: &mut BTreeSet<Domain>) {
        let Some(wanted_by) = self.names.get_mut(name) else { return };
        let was_first = wanted_by.first().is_some_and(|(_, first)| first == key);
        wanted_by.retain(|(_, each)| each != key);
        let next = wanted_by.first().filter(|_| was_first).map(|(_, next)| next.clone());
        if wanted_by.is_empty() {
            self.names.remove(name);
        }
        if let Some(next) = next {
            self.admit_again(&next, touched);
        }
    }

    /// Makes the virtual services of a domain again.
    fn serve(&mut self, domain: &Domain) {
        let served = domain::serve(domain, &self.hosts, &self.settings);
        self.findings.say(Subject::Domain(domain.clone()), served.findings);
        self.made.replace_domain(domain, served.documents);
    }
}

fn exclusive_name(router: &Router) -> Option<ExclusiveName> {
    let name = router.exclusive_name.clone()?;
    Some((router.owner.source, router.owner.source_name.clone(), router.dialect, name))
}
