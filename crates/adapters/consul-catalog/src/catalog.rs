//! What all parts of a source share: the client, the limits, the account, and who follows what.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, Weak};

use biplane_consul_client::{Client, Scope};
use biplane_source::SourceError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use crate::counters::{Counters, count};
use crate::failure::Failure;
use crate::follow::Follower;
use crate::hints::Hints;
use crate::options::CatalogOptions;
use crate::report::Report;
use crate::subject::{Subject, What};
use crate::trust::Trust;
use biplane_source::pace::Backoff;

/// How many questions for an index are asked at a time.
const PROBES: usize = 4;

/// One catalog.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) options: CatalogOptions,
    pub(crate) client: Client,
    pub(crate) counters: Counters,
    pub(crate) report: Report,
    pub(crate) trust: Trust,
    /// Answers that are read at a time.
    pub(crate) reads: Semaphore,
    /// Questions for an index that are asked at a time. A sweep has very many of them, and nobody who knows of a change may
    /// have to wait for these.
    pub(crate) probes: Semaphore,
    /// Connections on which something is waited for.
    watches: Arc<Semaphore>,
    /// Moves when everything is to be read again.
    pub(crate) pulse: watch::Sender<u64>,
    followers: Shelf<Subject, Follower>,
    hints: Shelf<Scope, Hints>,
}

/// What lives as long as somebody uses it, by what it is about.
#[derive(Debug)]
struct Shelf<K, V>(Mutex<HashMap<K, Weak<V>>>);

impl<K: Hash + Eq + Clone, V> Shelf<K, V> {
    fn get(&self, key: &K, start: impl FnOnce() -> V) -> Arc<V> {
        let mut all = self.0.lock().expect("nobody panics while holding it");
        if let Some(known) = all.get(key).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::new(start());
        all.insert(key.clone(), Arc::downgrade(&new));
        new
    }

    /// Another one may have taken the place of the one that ended.
    fn sweep(&self, key: &K) {
        let mut all = self.0.lock().expect("nobody panics while holding it");
        if all.get(key).is_some_and(|value| value.strong_count() == 0) {
            all.remove(key);
        }
    }

    fn len(&self) -> usize {
        self.0.lock().expect("nobody panics while holding it").len()
    }
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl Catalog {
    pub(crate) fn new(options: CatalogOptions) -> Result<Self, SourceError> {
        let client = Client::new(options.client.clone());
        let client = client.map_err(|error| SourceError::invalid(error.to_string()))?;
        Ok(Self {
            report: Report::new(&options, client.address()),
            reads: Semaphore::new(options.tuning.reads.max(1)),
            probes: Semaphore::new(PROBES),
            watches: Arc::new(Semaphore::new(options.max_watches)),
            options,
            client,
            counters: Counters::default(),
            trust: Trust::default(),
            pulse: watch::Sender::default(),
            followers: Shelf::default(),
            hints: Shelf::default(),
        })
    }

    /// Who follows this, as many as there are that want it.
    pub(crate) fn follow(self: &Arc<Self>, subject: &Subject) -> Arc<Follower> {
        self.followers.get(subject, || Follower::start(Arc::clone(self), subject.clone()))
    }

    /// What has changed in this part of the catalog, for all who have no connection to wait on.
    pub(crate) fn hints(self: &Arc<Self>, scope: &Scope) -> Arc<Hints> {
        self.hints.get(scope, || Hints::start(Arc::clone(self), scope.clone()))
    }

    /// A connection to wait on, if there is one left.
    pub(crate) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.watches).try_acquire_owned().ok()
    }

    /// A catalog has begun anew: who waits for an index of the old one would wait for long.
    pub(crate) fn began_anew(&self) {
        count(&self.counters.restarts);
        self.refresh();
    }

    /// Everything is read again.
    pub(crate) fn refresh(&self) {
        self.pulse.send_modify(|pulse| *pulse = pulse.wrapping_add(1));
    }

    /// A follower has ended.
    pub(crate) fn forget(&self, subject: &Subject) {
        self.followers.sweep(subject);
        self.hints.sweep(&subject.scope);
        self.trust.forget(subject);
    }

    /// Asks now and then while nobody follows anything, until there was an answer: others wait for that, and status shows it.
    pub(crate) async fn knock(self: Arc<Self>) {
        let mut state = self.report.subscribe();
        let mut backoff = Backoff::new(self.options.tuning.retry_max);
        let subject = self.subject(What::Services, self.options.datacenters.first().cloned());
        loop {
            let _ = state.wait_for(|state| state.phase != biplane_source::Phase::Complete).await;
            if self.followers.len() == 0 {
                match subject.ask(&self.client, &subject.query()).await {
                    Ok(answer) if answer.meta.known_leader => self.report.answered(subject.datacenter()),
                    Ok(_) => self.report.failed(subject.datacenter(), &Failure::no_leader(&subject)),
                    Err(error) => {
                        self.report.failed(subject.datacenter(), &Failure::of_call(&subject, &error));
                    }
                }
            }
            sleep(backoff.delay()).await;
        }
    }

    /// A question as the options have it, in one datacenter.
    pub(crate) fn subject(&self, what: What, datacenter: Option<String>) -> Subject {
        let CatalogOptions { namespace, partition, consistency, cached, .. } = &self.options;
        let scope = Scope { datacenter, namespace: namespace.clone(), partition: partition.clone() };
        Subject { what, scope, consistency: *consistency, cached: *cached }
    }

    /// The datacenters that are meant where these are named; `None`: the agent's own.
    pub(crate) fn datacenters(&self, named: &[String]) -> Vec<Option<String>> {
        let named = if named.is_empty() { &self.options.datacenters } else { named };
        if named.is_empty() { vec![None] } else { named.iter().cloned().map(Some).collect() }
    }
}
