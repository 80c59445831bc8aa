//! Following resources: what there is, then what becomes of it.
//!
//! A driver follows the store. Where it has to list again (lost events, another history), whoever
//! watches is told the difference between what they know and what there is, and nothing else. A store that
//! cannot be read ends the watch with the reason; while it is quiet, signs of life come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use biplane_admin_api::resources::{Events, Filter, Problem, ProblemKind, ResourceEvent};
use biplane_core::key::ObjectKey;
use biplane_store::{
    Change, Changes, Driver, DriverOptions, Listing, Revision, SourceEvent, Store, StoredObject,
};
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::off_the_runtime;
use crate::problems::reading;
use crate::view::Sieve;

/// How often whoever watches hears something.
const ALIVE: Duration = Duration::from_secs(15);

/// A watch that waits for its first event is given up after the driver's own deadline.
const FIRST: Duration = Duration::from_secs(35);

/// Events that wait for a slow reader; then the driver waits, and the store's own memory of changes counts.
const WAITING: usize = 16;

/// Follows what matches.
pub(crate) async fn events(store: Arc<dyn Store>, filter: &Filter) -> Result<Events, Problem> {
    let (sender, events) = mpsc::channel(WAITING);
    let driver = Driver::new(store, DriverOptions::remote(), sender);
    let driver = AbortOnDropHandle::new(tokio::spawn(driver.run()));
    let teller = Teller { sieve: Sieve::new(filter), told: BTreeMap::new(), listed: false };
    let mut watch = Watch {
        events,
        teller: Some(teller),
        queue: VecDeque::new(),
        heard: Instant::now(),
        over: false,
        _driver: driver,
    };
    // Who may not read, or reaches nothing, learns it at once.
    let first = timeout(FIRST, watch.events.recv()).await;
    let late = |_| Problem::new(ProblemKind::Unavailable, "the store could not be read in time");
    watch.take(first.map_err(late)?).await?;
    Ok(futures::stream::unfold(watch, next).boxed())
}

struct Watch {
    events: mpsc::Receiver<SourceEvent>,
    /// Elsewhere while it works.
    teller: Option<Teller>,
    queue: VecDeque<ResourceEvent>,
    /// When the watcher last heard something.
    heard: Instant,
    over: bool,
    _driver: AbortOnDropHandle<()>,
}

/// What the watcher has been told, and what that makes worth telling.
struct Teller {
    sieve: Sieve,
    told: BTreeMap<ObjectKey, Revision>,
    listed: bool,
}

async fn next(mut watch: Watch) -> Option<(Result<ResourceEvent, Problem>, Watch)> {
    loop {
        if let Some(event) = watch.queue.pop_front() {
            watch.heard = Instant::now();
            return Some((Ok(event), watch));
        }
        if watch.over {
            return None;
        }
        // Much may happen that this watcher is not told of; that is no sign of life to them.
        let Ok(event) = timeout_at(watch.heard + ALIVE, watch.events.recv()).await else {
            watch.heard = Instant::now();
            return Some((Ok(ResourceEvent::Alive), watch));
        };
        if let Err(problem) = watch.take(event).await {
            watch.over = true;
            return Some((Err(problem), watch));
        }
    }
}

impl Watch {
    /// Queues what an event of the store means.
    async fn take(&mut self, event: Option<SourceEvent>) -> Result<(), Problem> {
        let ended = || Problem::new(ProblemKind::Internal, "the watch has ended").hint("watch again");
        let event = event.ok_or_else(ended)?;
        if let SourceEvent::Failed { error, .. } = event {
            return Err(reading(error));
        }
        let mut teller = self.teller.take().ok_or_else(ended)?;
        let told = off_the_runtime(move || {
            let events = teller.tell(event);
            (teller, events)
        });
        let (teller, events) = told.await?;
        self.teller = Some(teller);
        self.queue.extend(events);
        Ok(())
    }
}

impl Teller {
    fn tell(&mut self, event: SourceEvent) -> Vec<ResourceEvent> {
        match event {
            SourceEvent::Complete(listing) => self.listing(&listing),
            SourceEvent::Changes(changes) => self.changes(changes),
            SourceEvent::Failed { .. } => Vec::new(),
        }
    }

    fn listing(&mut self, listing: &Listing) -> Vec<ResourceEvent> {
        let present: BTreeSet<_> = listing.items.iter().map(|object| &object.key).collect();
        let gone: Vec<_> = self.told.keys().filter(|key| !present.contains(key)).cloned().collect();
        let gone: Vec<_> = gone.iter().filter_map(|key| self.gone(key, listing.revision)).collect();
        let puts = listing.items.iter().filter_map(|object| self.put(object, listing.revision));
        let mut events: Vec<_> = puts.collect();
        events.extend(gone);
        if !std::mem::replace(&mut self.listed, true) {
            events.push(ResourceEvent::Listed { revision: listing.revision.0 });
        }
        events
    }

    fn changes(&mut self, changes: Changes) -> Vec<ResourceEvent> {
        let revision = changes.revision;
        let event = |change| match change {
            Change::Put(object) => self.put(&object, revision),
            Change::Deleted(key) => self.gone(&key, revision),
        };
        changes.changes.into_iter().filter_map(event).collect()
    }

    /// An object is there. One that matched and does not any more is gone for this watcher.
    fn put(&mut self, object: &StoredObject, revision: Revision) -> Option<ResourceEvent> {
        if self.told.get(&object.key) == Some(&object.revision) {
            return None;
        }
        let Some(resource) = self.sieve.pass(object) else { return self.gone(&object.key, revision) };
        self.told.insert(object.key.clone(), object.revision);
        Some(ResourceEvent::Put { resource: Box::new(resource) })
    }

    fn gone(&mut self, key: &ObjectKey, revision: Revision) -> Option<ResourceEvent> {
        self.told.remove(key)?;
        let (kind, namespace, name) = (key.kind, key.namespace.clone(), key.name.clone());
        Some(ResourceEvent::Deleted { kind, namespace, name, revision: revision.0 })
    }
}
