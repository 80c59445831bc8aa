//! A watch of the store: a tail of etcd, what it means, and when it ends.

use std::collections::VecDeque;
use std::sync::Arc;

use biplane_store::{Changes, Revision, StoreError, WatchEvent, WatchStream};
use futures::StreamExt as _;
use tokio::time::{Instant, sleep_until};

use crate::feed::{End, Feed, begun};
use crate::list;
use crate::place::behind;
use crate::raw::Happened;
use crate::store::Core;
use crate::tail::{Heard, Tail};

type Told = Result<WatchEvent, StoreError>;

#[derive(Debug)]
struct Watch {
    core: Arc<Core>,
    tail: Tail,
    feed: Feed,
    /// What is decided and not told yet.
    ready: VecDeque<Changes>,
    ended: Option<End>,
}

/// Everything that happens after `from`.
pub(crate) async fn open(core: &Arc<Core>, from: Revision) -> Result<WatchStream, StoreError> {
    let base = match core.recall(from.0) {
        Some(base) => Some(base),
        None => list::base(core, from.0).await?,
    };
    let Some(base) = base else { return Ok(resync()) };
    let place = &core.place;
    let (tail, created) = Tail::open(core, &place.config, Some(behind(&place.config)), from.0 + 1).await?;
    // A member may lag behind what was listed elsewhere; only all of them together have gone back.
    let went_back = created.revision < from.0 && list::head(core).await? < from.0;
    if went_back || created.cluster != base.cluster {
        return Ok(resync());
    }
    let feed = Feed::new(place.clone(), base, Instant::now());
    let watch = Watch { core: core.clone(), tail, feed, ready: VecDeque::new(), ended: None };
    Ok(futures::stream::unfold(Some(watch), next).boxed())
}

async fn next(watch: Option<Watch>) -> Option<(Told, Option<Watch>)> {
    let mut watch = watch?;
    loop {
        if let Some(changes) = watch.ready.pop_front() {
            return Some((Ok(WatchEvent::Changes(changes)), Some(watch)));
        }
        match watch.ended.take() {
            Some(End::Resync) => return Some((Ok(WatchEvent::Resync), None)),
            Some(End::Failed(error)) => return Some((Err(error), None)),
            None => watch.advance().await,
        }
    }
}

impl Watch {
    /// Hears one thing, or has waited long enough for the end of a batch.
    async fn advance(&mut self) {
        let patience = self.feed.holds_until();
        let used_up = async {
            match patience {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            heard = self.tail.next() => self.take(heard),
            () = used_up => self.ready.extend(self.feed.give_up()),
        }
    }

    fn take(&mut self, heard: Result<Heard, StoreError>) {
        let ended = match heard {
            Ok(Heard::Events(events)) => self.events(&events),
            Ok(Heard::Progress(revision)) => self.feed.progress(revision).map(|told| self.ready.extend(told)),
            Ok(Heard::Compacted) => Err(End::Resync),
            Err(error) => Err(End::Failed(error)),
        };
        self.ended = ended.err();
    }

    fn events(&mut self, events: &[Happened]) -> Result<(), End> {
        // The wait for a batch begins here for those who list as well: what a watch has told, a listing shows.
        let marks = events.iter().filter(|event| event.key() == self.core.place.manifest.as_bytes());
        for (manifest, _) in marks.filter_map(begun) {
            self.core.patience.left(&manifest);
        }
        let now = Instant::now();
        for step in events.chunk_by(|one, other| one.revision() == other.revision()) {
            self.ready.extend(self.feed.take(step, now)?);
        }
        Ok(())
    }
}

fn resync() -> WatchStream {
    futures::stream::iter([Ok(WatchEvent::Resync)]).boxed()
}
