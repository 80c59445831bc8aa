//! One watch of etcd, as it comes, with a sign of life at least as often as [`EtcdOptions::liveness`] says.
//!
//! A watch on which nothing happens is silent, and so is one whose link is cut. So it is asked for its
//! progress whenever nothing has come for a while. The answer also says up to which revision everything has been
//! heard; a caller who has just learned of a later one has it asked at once.
//!
//! [`EtcdOptions::liveness`]: crate::EtcdOptions::liveness

use std::sync::Arc;

use biplane_store::StoreError;
use etcd_client::{Error, ResponseHeader, WatchOptions, WatchResponse, WatchStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::members::Link;
use crate::pace::Pace;
use crate::raw::{Happened, signed, unsigned};
use crate::store::Core;

/// What a watch hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// What happened, in order of revisions, each revision whole.
    Events(Vec<Happened>),
    /// Everything up to this revision has been heard.
    Progress(u64),
    /// What follows is forgotten. Nothing comes any more.
    Compacted,
}

/// A running watch of etcd.
#[derive(Debug)]
pub(crate) struct Tail {
    core: Arc<Core>,
    member: usize,
    stream: WatchStream,
    /// Whether etcd's first word was that what follows is forgotten.
    compacted: bool,
    /// Revisions that somebody waits for.
    wanted: watch::Receiver<u64>,
    /// The newest revision heard of.
    seen: u64,
    pace: Pace,
}

/// Where a new watch begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Created {
    /// The revision that the member was at.
    pub(crate) revision: u64,
    /// The cluster that the member belongs to.
    pub(crate) cluster: u64,
}

impl Tail {
    /// Watches a key, or the keys up to `end`, from a revision on.
    pub(crate) async fn open(
        core: &Arc<Core>,
        key: &str,
        end: Option<Vec<u8>>,
        from: u64,
    ) -> Result<(Self, Created), StoreError> {
        let options = WatchOptions::new().with_start_revision(signed(from));
        let options = match end {
            Some(end) => options.with_range(end),
            None => options,
        };
        let create = || core.members.read("watch the store", |link| create(link, key, options.clone()));
        let (mut stream, mut first, mut member) = create().await?;
        if let Some(reason) = refusal(&first) {
            // A token whose time is up is refused as a right that is missing.
            core.members.forget(member).await;
            tracing::debug!(reason, "a watch was refused, logging in again");
            (stream, first, member) = create().await?;
        }
        if let Some(reason) = refusal(&first) {
            return Err(core.members.attempt(member, "watch the store").refused(&reason));
        }
        let header = first.header();
        let created = Created {
            revision: header.map_or(0, |header| unsigned(header.revision())),
            cluster: header.map_or(0, ResponseHeader::cluster_id),
        };
        let tail = Self {
            core: core.clone(),
            member,
            stream,
            compacted: first.compact_revision() > 0,
            wanted: core.heads.subscribe(),
            seen: from.saturating_sub(1),
            pace: Pace::new(core.options.liveness, Instant::now()),
        };
        Ok((tail, created))
    }

    /// What comes next. It may be dropped at any await without harm.
    pub(crate) async fn next(&mut self) -> Result<Heard, StoreError> {
        while !self.compacted {
            let (now, wanted) = (Instant::now(), *self.wanted.borrow_and_update());
            let question = self.pace.next_question(wanted, self.seen, now);
            let deadline = self.pace.deadline(now);
            tokio::select! {
                biased;
                message = self.stream.message() => {
                    if let Some(heard) = self.read(message).await? {
                        return Ok(heard);
                    }
                }
                () = sleep_until(deadline) => return Err(self.silent().await),
                () = sleep_until(question) => self.ask(wanted).await?,
                changed = self.wanted.changed() => {
                    changed.expect("the store outlives its watches");
                }
            }
        }
        Ok(Heard::Compacted)
    }

    async fn read(
        &mut self,
        message: Result<Option<WatchResponse>, Error>,
    ) -> Result<Option<Heard>, StoreError> {
        let attempt = self.core.members.attempt(self.member, "watch the store");
        let response = match message {
            Ok(Some(response)) => response,
            Ok(None) => return Err(self.left(attempt.refused("the member has ended the watch")).await),
            Err(error) => return Err(self.left(attempt.explain(&error)).await),
        };
        self.pace.hear(Instant::now());
        if response.compact_revision() > 0 {
            return Ok(Some(Heard::Compacted));
        }
        if response.canceled() {
            return Err(self.left(attempt.refused(response.cancel_reason())).await);
        }
        let events: Vec<_> = response.events().iter().filter_map(Happened::of).collect();
        if let Some(last) = events.last() {
            self.seen = self.seen.max(last.revision());
            return Ok(Some(Heard::Events(events)));
        }
        let Some(revision) = response.header().map(|header| unsigned(header.revision())) else {
            return Ok(None);
        };
        self.seen = self.seen.max(revision);
        Ok(Some(Heard::Progress(revision)))
    }

    async fn ask(&mut self, wanted: u64) -> Result<(), StoreError> {
        let now = Instant::now();
        let sent = timeout(self.core.options.liveness, self.stream.request_progress()).await;
        let attempt = self.core.members.attempt(self.member, "watch the store");
        match sent {
            Err(_) => return Err(self.silent().await),
            Ok(Err(error)) => return Err(self.left(attempt.explain(&error)).await),
            Ok(Ok(())) => {}
        }
        self.pace.ask(wanted, now);
        Ok(())
    }

    async fn silent(&self) -> StoreError {
        let attempt = self.core.members.attempt(self.member, "watch the store");
        let error = attempt.too_slow(self.core.options.liveness);
        self.left(error).await
    }

    /// The next call goes to another member.
    async fn left(&self, error: StoreError) -> StoreError {
        if let StoreError::Unavailable { .. } = &error {
            self.core.members.leave(self.member).await;
        }
        error
    }
}

/// The watch, and etcd's first word about it.
async fn create(
    mut link: Link,
    key: &str,
    options: WatchOptions,
) -> Result<(WatchStream, WatchResponse, usize), Error> {
    let mut stream = link.watch.watch(key, Some(options)).await?;
    let first = stream.message().await?;
    let first = first.ok_or_else(|| Error::WatchError("it was ended before it began".to_owned()))?;
    Ok((stream, first, link.member))
}

/// Why a new watch does not begin. A compaction is told later, to whoever reads on.
fn refusal(first: &WatchResponse) -> Option<String> {
    let is_refused = first.canceled() && first.compact_revision() == 0;
    is_refused.then(|| first.cancel_reason().to_owned())
}
