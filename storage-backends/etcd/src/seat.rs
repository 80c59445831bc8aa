//! The leader's seat: the key `meta/leader` under a lease.
//!
//! Whoever finds the key absent may create it under a lease of its own; the others watch it go. Its create revision
//! is the term, and every fenced write compares it, so that a leader that slept through the end of its lease
//! writes nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use biplane_store::{Fence, Seat, StoreError};
use etcd_client::{Compare, CompareOp, Error, PutOptions, Txn, TxnOp};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::debug;

use crate::list;
use crate::members::Link;
use crate::raw::{Happened, unsigned};
use crate::store::Core;
use crate::tail::{Heard, Tail};

/// How soon a renewal that failed is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// Waits for the seat and takes it.
pub(crate) async fn campaign(core: &Arc<Core>, owner: &str) -> Result<Box<dyn Seat>, StoreError> {
    loop {
        wait_until_free(core).await?;
        let mut seat = EtcdSeat::grant(core).await?;
        if seat.take(owner).await? {
            return Ok(Box::new(seat));
        }
        seat.give_up().await;
    }
}

/// The error of a leader that is none any more.
pub(crate) fn deposed(why: &str) -> StoreError {
    StoreError::Deposed { message: format!("the leader's seat is lost: {why}") }
}

/// The lease that a fence names.
pub(crate) fn lease_of(holder: &str) -> Option<i64> {
    i64::from_str_radix(holder, 16).ok()
}

/// Returns once nobody leads.
async fn wait_until_free(core: &Arc<Core>) -> Result<(), StoreError> {
    loop {
        let leader = core.place.leader.as_str();
        let (found, revision) = list::one(core, "look for the leader", leader).await?;
        if found.is_none() {
            return Ok(());
        }
        let (mut tail, _) = Tail::open(core, leader, None, revision + 1).await?;
        loop {
            match tail.next().await? {
                Heard::Events(events) if events.iter().any(is_gone) => return Ok(()),
                Heard::Events(_) | Heard::Progress(_) => {}
                Heard::Compacted => break,
            }
        }
    }
}

const fn is_gone(event: &Happened) -> bool {
    matches!(event, Happened::Deleted { .. })
}

/// A lease, and the seat that is under it.
struct EtcdSeat {
    core: Arc<Core>,
    lease: i64,
    /// 0 until the seat is taken.
    term: u64,
    time_to_live: Duration,
    /// When a renewal that succeeded was asked for.
    renewed: Instant,
    is_given_up: bool,
}

impl EtcdSeat {
    async fn grant(core: &Arc<Core>) -> Result<Self, StoreError> {
        let asked = Instant::now();
        let seconds = i64::try_from(core.options.lease.as_secs().max(1)).unwrap_or(i64::MAX);
        let grant = |mut link: Link| async move { link.lease.grant(seconds, None).await };
        let answer = core.members.write("ask for a lease", grant).await?;
        Ok(Self {
            core: core.clone(),
            lease: answer.id(),
            term: 0,
            time_to_live: Duration::from_secs(unsigned(answer.ttl())),
            renewed: asked,
            is_given_up: false,
        })
    }

    /// Whether the seat was still free.
    async fn take(&mut self, owner: &str) -> Result<bool, StoreError> {
        let leader = self.core.place.leader.as_str();
        let free = Compare::create_revision(leader, CompareOp::Equal, 0);
        let put = TxnOp::put(leader, owner, Some(PutOptions::new().with_lease(self.lease)));
        let txn = Txn::new().when([free]).and_then([put]);
        let call = |link: Link| link.txn(txn.clone());
        let answer = self.core.members.write("take the leader's seat", call).await?;
        if answer.succeeded() {
            self.term = answer.header().map_or(0, |header| unsigned(header.revision()));
        }
        Ok(answer.succeeded())
    }

    /// Renews the lease; `false`: it is over, or the seat is not under it any more.
    async fn renew(&mut self) -> Result<bool, StoreError> {
        let (asked, lease) = (Instant::now(), self.lease);
        let renew = |mut link: Link| async move {
            match link.lease.keep_alive(lease).await {
                Ok(_) => Ok(true),
                Err(Error::LeaseKeepAliveError(_)) => Ok(false),
                Err(error) => Err(error),
            }
        };
        if !self.core.members.read("renew the leader's lease", renew).await? {
            return Ok(false);
        }
        let (seat, _) = list::one(&self.core, "look for the leader", &self.core.place.leader).await?;
        let is_ours = seat.is_some_and(|seat| seat.created == self.term);
        if is_ours {
            self.renewed = asked;
        }
        Ok(is_ours)
    }

    /// Ends the lease, and the seat with it, as far as etcd can be reached.
    async fn give_up(mut self) {
        self.is_given_up = true;
        revoke(self.core.clone(), self.lease).await;
    }
}

async fn revoke(core: Arc<Core>, lease: i64) {
    let revoke = |mut link: Link| async move { link.lease.revoke(lease).await };
    if let Err(error) = core.members.write("give up a lease", revoke).await {
        debug!(%error, "a lease was not given up and ends by itself");
    }
}

#[async_trait]
impl Seat for EtcdSeat {
    fn fence(&self) -> Fence {
        Fence { term: self.term, holder: format!("{:x}", self.lease) }
    }

    async fn lost(&mut self) -> StoreError {
        loop {
            let deadline = self.renewed + self.time_to_live * 2 / 3;
            sleep_until(self.renewed + self.time_to_live / 3).await;
            match timeout_at(deadline, self.renew()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return deposed("its lease is over, or somebody removed it"),
                Ok(Err(error)) if Instant::now() + AGAIN >= deadline => return deposed(&error.to_string()),
                Ok(Err(error)) => {
                    debug!(%error, "the leader's lease was not renewed");
                    sleep(AGAIN).await;
                }
                Err(_) => return deposed("etcd did not renew its lease in time"),
            }
        }
    }

    async fn resign(self: Box<Self>) {
        self.give_up().await;
    }
}

/// The lease ends soon if etcd can be told, else when its time is up.
impl Drop for EtcdSeat {
    fn drop(&mut self) {
        if self.is_given_up {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(revoke(self.core.clone(), self.lease));
        }
    }
}

impl fmt::Debug for EtcdSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdSeat").field("term", &self.term).finish_non_exhaustive()
    }
}
