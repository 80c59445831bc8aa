//! Services that become objects: their tags virtual services, the services themselves upstreams.
//!
//! ```text
//!  sources ─ services ─▶ shelf ─ those of interest ─▶ watched ─ instances ─▶ shelf ─▶ tags::Table ─▶ made objects ─▶ engine
//! ```
//!
//! This is the task that asks; [`shelf`] decides. What is made is never stored: every replica makes the same.
//! Invariant: the instances of exactly the services of interest are watched.

mod finding;
mod listed;
mod seen;
mod shelf;
#[cfg(test)]
mod tests;
mod upstreams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_admin_api::status::ServiceStatus;
use biplane_core::key::ObjectKey;
use biplane_source::{Listing, ServiceName, ServiceSource};
use biplane_tags::table::Findings;
use futures::StreamExt as _;
use futures::stream::{BoxStream, SelectAll};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::engine::MadeState;
use crate::ingest::MadeObject;
use crate::watches::Watches;
pub(crate) use finding::report;
pub(crate) use shelf::GRACE;
use shelf::Shelf;

/// What services become.
#[derive(Clone, Debug, Default)]
pub struct CatalogSettings {
    /// How tags are read.
    pub tags: biplane_tags::settings::Settings,
    /// The names of the sources whose services become upstreams.
    pub upstreams: BTreeSet<String>,
}

impl CatalogSettings {
    /// Two sources whose upstreams would be in one namespace, and which that is: equal services of both would be one upstream.
    pub fn shared_namespace(&self) -> Option<([&str; 2], String)> {
        let mut sources = BTreeMap::new();
        self.upstreams.iter().find_map(|source| {
            let namespace = upstreams::namespace_of(source);
            let other = sources.insert(namespace.clone(), source.as_str())?;
            Some(([other, source.as_str()], namespace))
        })
    }
}

/// What is made of services, and what is not any more.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) puts: Vec<MadeObject>,
    pub(crate) deletions: Vec<ObjectKey>,
    /// All that there is to say about tags now.
    pub(crate) findings: Findings,
    /// Sources of which not everything is known yet. While there are any, what the last run left stays.
    pub(crate) waits_for: BTreeSet<Arc<str>>,
    /// How many services of each source are held though it does not show them.
    pub(crate) held: Vec<(Arc<str>, usize)>,
}

/// One service of one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Item {
    pub(crate) source: Arc<str>,
    pub(crate) name: ServiceName,
}

/// Asks the sources of services.
pub(crate) struct Catalog {
    pub(crate) sources: Vec<Arc<dyn ServiceSource>>,
    pub(crate) settings: CatalogSettings,
    pub(crate) made: mpsc::Sender<Made>,
    /// Sources of which an operator means what they show.
    pub(crate) accepted: mpsc::Receiver<Arc<str>>,
    /// People who ask what is known.
    pub(crate) questions: mpsc::Receiver<Answer>,
}

/// Where the answer goes of somebody who asks what is known of services.
pub(crate) type Answer = oneshot::Sender<Vec<ServiceStatus>>;

type Services = (Arc<str>, Listing<Vec<biplane_source::Service>>);
pub(crate) type Instances = (Item, Listing<Vec<biplane_source::Instance>>);

impl Catalog {
    /// Whether services become anything at all.
    pub(crate) fn is_idle(&self) -> bool {
        let tags = &self.settings.tags;
        let reads = tags.biplane.enabled || tags.traefik.enabled || tags.fabio.enabled;
        self.sources.is_empty() || !reads && self.settings.upstreams.is_empty()
    }

    /// What first answers to Envoys wait for.
    pub(crate) fn awaited(&self) -> MadeState {
        if self.is_idle() {
            return MadeState::default();
        }
        MadeState::waiting(self.sources.iter().map(|source| source.name().into()))
    }

    /// Runs until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        if self.is_idle() {
            self.questions.close();
            self.accepted.close();
            shutdown.cancelled().await;
            return Ok(());
        }
        let kinds = self.sources.iter().map(|source| (source.name().into(), source.kind()));
        let mut known = Shelf::new(self.settings.clone(), kinds.collect(), Instant::now());
        let mut lists: SelectAll<BoxStream<'static, Services>> =
            self.sources.iter().map(|source| listings(&**source)).collect();
        let mut watches: Watches<Item, Instances> = Watches::default();
        loop {
            let due = known.deadline();
            let wait = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some((source, services)) = lists.next() => known.services(&source, services, Instant::now()),
                Some(batch) = watches.next(), if !watches.is_empty() => known.instances(batch),
                Some(source) = self.accepted.recv() => known.accept(&source, Instant::now()),
                Some(answer) = self.questions.recv() => drop(answer.send(known.status())),
                () = wait => known.on_time(Instant::now()),
            }
            self.turn(&mut watches, known.take_turns());
            if let Some(made) = known.take_made(Instant::now())
                && self.made.send(made).await.is_err()
            {
                return Ok(());
            }
        }
    }

    /// Begins and ends watches.
    fn turn(&self, watches: &mut Watches<Item, Instances>, turns: BTreeMap<Item, bool>) {
        for (item, is_wanted) in turns {
            if !is_wanted {
                watches.end(&item);
                continue;
            }
            let Some(source) = self.sources.iter().find(|source| source.name() == *item.source) else {
                continue;
            };
            let teller = item.clone();
            let told = source.instances(&item.name).map(move |listing| (teller.clone(), listing));
            watches.begin(item, told.boxed());
        }
    }
}

fn listings(source: &dyn ServiceSource) -> BoxStream<'static, Services> {
    let name: Arc<str> = source.name().into();
    source.services().map(move |listing| (name.clone(), listing)).boxed()
}
