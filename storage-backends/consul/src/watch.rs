//! A watch: blocking queries over parts of the prefix, and what they tell, put together.
//!
//! ```text
//!  parts    one ?recurse each ──┐
//!  folders  names, if cut       ├──▶ hear ──▶ View ──▶ Changes
//!  marks    sentinel, manifest ─┘      ├─ what shrank or spans parts is told after the marks were read anew
//!                                      └─ of several parts each is asked whether it has changed before (order)
//! ```
//!
//! The queries are futures that this stream polls: there is no task, and dropping the stream drops them all. The
//! watch ends with the first error, because the driver above is the one who tries again.
//!
//! It reads no more than it must: a query follows the last one at a distance that grows with the answer's size, and
//! one that returned without news waits a second.

mod ask;
mod cover;
mod hear;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use biplane_store::{Changes, Revision, StoreError, WatchEvent, WatchStream};
use futures::StreamExt as _;
use futures::future::{AbortHandle, BoxFuture};
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};

use crate::remembered::Remembered;
use crate::shared::Handle;
use crate::view::{Hold, Stop, View};
use ask::Told;
use cover::Cover;
use order::Order;

/// Longer than anything that a watch waits for by itself.
const LONG: Duration = Duration::from_hours(1);

/// What happens after `from`.
pub(crate) async fn open(shared: Handle, from: Revision) -> Result<WatchStream, StoreError> {
    let Some(listing) = shared.memory.of(from) else { return Ok(resync()) };
    // Between the listing and now another history may have taken this one's place.
    if shared.global_index().await? < from.0 {
        return Ok(resync());
    }
    let watch = Watch::new(shared, &listing);
    let next = |watch: Option<Watch>| async move { watch?.next().await };
    Ok(futures::stream::unfold(Some(watch), next).boxed())
}

fn resync() -> WatchStream {
    futures::stream::once(async { Ok(WatchEvent::Resync) }).boxed()
}

/// An open watch.
struct Watch {
    shared: Handle,
    view: View,
    cover: Cover,
    queries: FuturesUnordered<BoxFuture<'static, Told>>,
    /// The running query of each part and folder.
    running: BTreeMap<Subject, Running>,
    /// What folders that are cut have in them, by their names.
    names: BTreeMap<String, BTreeSet<String>>,
    marks: Marks,
    order: Order,
    /// Whom Consul took us for when this began.
    eyes: u64,
    /// The latest index that content was seen at.
    reached: u64,
    /// The index of the whole prefix at the last probe.
    suspect: u64,
    /// Whether an index went back and nobody has said yet that this is no other history.
    doubtful: bool,
    /// The manifest for whose sake parts that lag were asked.
    asked_for: u64,
}

/// What a blocking query is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// The content of a part.
    Part(String),
    /// The names in a folder.
    Folder(String),
}

/// A question that is under way.
#[derive(Debug)]
struct Running {
    abort: AbortHandle,
    /// Whether it waits: for a change, or because the last one was in vain.
    waits: bool,
    /// When it goes out.
    due: Instant,
}

/// Reads of the marks: how many are wanted, and up to which wish they have been answered.
#[derive(Debug, Default)]
struct Marks {
    wanted: u64,
    had: u64,
    asking: bool,
}

type Next = Option<(Result<WatchEvent, StoreError>, Option<Watch>)>;

impl Watch {
    fn new(shared: Handle, listing: &Remembered) -> Self {
        let view = View::from_listing(shared.place.clone(), listing);
        let mut watch = Self {
            cover: Cover::whole(),
            queries: FuturesUnordered::new(),
            running: BTreeMap::new(),
            names: BTreeMap::new(),
            marks: Marks::default(),
            order: Order::default(),
            eyes: shared.client.identities(),
            reached: listing.revision.0,
            suspect: 0,
            doubtful: false,
            asked_for: 0,
            view,
            shared,
        };
        watch.spread(listing.revision.0);
        watch.probe();
        watch
    }

    /// Cuts the prefix into parts, all of which have been seen at `index`.
    fn spread(&mut self, index: u64) {
        let tuning = &self.shared.tuning;
        self.cover = Cover::of(self.view.sizes(), tuning.whole_bytes, tuning.max_watches);
        let (parts, folders) = (self.cover.parts.len(), self.cover.folders.len());
        if !self.cover.is_whole() {
            info!(store = %self.shared.place.name, parts, folders, "large prefix is watched in parts");
        }
        self.order.folders = index;
        for part in self.cover.parts.clone() {
            self.view.reached(&part, index);
            self.ask_part(part, Some(index), Duration::ZERO);
        }
        for folder in self.cover.folders.clone() {
            self.ask_folder(folder, None, Duration::ZERO);
        }
    }

    async fn next(mut self) -> Next {
        match self.step().await {
            Ok(changes) => Some((Ok(WatchEvent::Changes(changes)), Some(self))),
            Err(Stop::Resync) => Some((Ok(WatchEvent::Resync), None)),
            Err(Stop::Unmarked) => Some((Err(self.shared.unmarked()), None)),
            Err(Stop::Failed(error)) => Some((Err(error), None)),
        }
    }

    /// Listens until there is something to tell.
    async fn step(&mut self) -> Result<Changes, Stop> {
        loop {
            let now = Instant::now();
            self.confirm();
            if let Some(changes) = self.tell(now) {
                return Ok(changes);
            }
            let wake = self.wake(now);
            tokio::select! {
                Some(told) = self.queries.next() => self.hear(told)?,
                () = sleep_until(wake) => {}
            }
        }
    }

    fn tell(&mut self, now: Instant) -> Option<Changes> {
        if self.doubtful || self.marks.had < self.marks.wanted {
            return None;
        }
        let complete = self.complete();
        // Something is on its way, and what is told at a batch's revision is all of the batch.
        let is_behind = complete < self.reached && complete <= self.view.told().0;
        if is_behind || complete < self.view.batch_index() {
            return None;
        }
        self.view.tell(complete, now)
    }

    /// When to look again although nobody has said anything; asks parts that lag behind a batch.
    fn wake(&mut self, now: Instant) -> Instant {
        match self.view.hold(now) {
            Some(Hold::Open(until)) => until,
            Some(Hold::Behind(parts, at)) if self.asked_for != self.view.batch_index() => {
                if now >= at {
                    self.ask_behind(parts);
                }
                at.max(now)
            }
            Some(Hold::Behind(..)) | None => now + LONG,
        }
    }

    /// Asks for the present content of parts, which is at least as new as the manifest that was seen.
    fn ask_behind(&mut self, parts: Vec<String>) {
        debug!(?parts, "parts of a batch have not been seen, asking");
        self.asked_for = self.view.batch_index();
        for part in parts {
            self.ask_part(part, None, Duration::ZERO);
        }
    }
}
