//! What a stream's caller is now: let in until further notice.
//!
//! Invariant: what its pass does not allow is refused with a line in the audit log, and nothing more is sent once its
//! pass has ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt as _;
use tokio::sync::watch;
use tonic::Status;

use crate::audit::{self, Attempt};
use crate::door::{Caller, Doorkeeper, Membership, Pass, Refusal};
use crate::metrics::Metrics;
use crate::wire::Node;

/// A caller is not judged again sooner: what ends is good for the whole of its last second.
const SOONEST: Duration = Duration::from_secs(1);

/// A caller with its pass.
pub(crate) struct Standing {
    caller: Arc<Caller>,
    pass: Pass,
    doorkeeper: Arc<dyn Doorkeeper>,
    changes: watch::Receiver<u64>,
    metrics: Metrics,
    /// When the pass ends, by the clock that timers go by.
    end: Option<Instant>,
}

impl Standing {
    /// Lets a caller in, or not.
    pub(crate) async fn judge(
        caller: Caller,
        doorkeeper: Arc<dyn Doorkeeper>,
        metrics: Metrics,
    ) -> Result<Self, Status> {
        // Before the question, so that no change is missed behind it.
        let changes = doorkeeper.changes();
        let caller = Arc::new(caller);
        match doorkeeper.admit(caller.clone()).await {
            Ok(pass) => Ok(Self { end: end(&pass), caller, pass, doorkeeper, changes, metrics }),
            Err(refusal) => Err(turned_away(&metrics, &caller, "somebody", &refusal)),
        }
    }

    /// Who it is.
    pub(crate) fn who(&self) -> &str {
        &self.pass.who
    }

    /// What it was let in for.
    pub(crate) fn pass(&self) -> &Pass {
        &self.pass
    }

    /// Where it calls from.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.caller.remote
    }

    /// Ends when it has to be judged again.
    pub(crate) async fn ends(&mut self) {
        let changed = self.changes.changed().then(|changed| async move {
            if changed.is_err() {
                std::future::pending::<()>().await;
            }
        });
        tokio::select! {
            () = changed => {}
            () = crate::session::at(self.end) => {}
        }
    }

    /// Judges it again. What it was let in for stays, or the stream ends.
    pub(crate) async fn judge_again(&mut self) -> Result<(), Status> {
        self.changes.mark_unchanged();
        let pass = match self.doorkeeper.admit(self.caller.clone()).await {
            Ok(pass) => pass,
            Err(refusal) => return Err(turned_away(&self.metrics, &self.caller, self.who(), &refusal)),
        };
        if (&pass.membership, &pass.node) != (&self.pass.membership, &self.pass.node) {
            return Err(Status::unavailable("the rules have made another of this node: connect again"));
        }
        self.end = end(&pass);
        self.pass = pass;
        Ok(())
    }

    /// The fleet of a node that says who it is.
    pub(crate) fn fleet(&self, node: &Node) -> Result<String, Status> {
        if let Some(id) = self.pass.node.as_ref().filter(|id| **id != node.id) {
            return Err(self.refuse(Attempt::Node, &format!("it calls itself {:?} and is {id:?}", node.id)));
        }
        let claimed = node.fleet();
        match &self.pass.membership {
            Membership::Claimed => Ok(claimed.to_owned()),
            Membership::Proven { fleet, checked: true } if !claimed.is_empty() && claimed != fleet => {
                let reason = format!("it says that it belongs to {claimed:?} and belongs to {fleet:?}");
                Err(self.refuse(Attempt::Fleet, &reason))
            }
            Membership::Proven { fleet, .. } => Ok(fleet.clone()),
        }
    }

    /// A line in the audit log, and how the stream ends.
    pub(crate) fn refuse(&self, attempt: Attempt, reason: &str) -> Status {
        self.note(attempt, reason);
        Status::permission_denied(reason)
    }

    /// A line in the audit log.
    pub(crate) fn note(&self, attempt: Attempt, reason: &str) {
        audit::refused(&self.metrics, attempt, self.caller.remote, self.who(), reason);
    }
}

fn turned_away(metrics: &Metrics, caller: &Caller, who: &str, refusal: &Refusal) -> Status {
    audit::refused(metrics, Attempt::Stream, caller.remote, who, &refusal.reason);
    if refusal.may_come_again {
        Status::unavailable(refusal.reason.clone())
    } else {
        Status::permission_denied(refusal.reason.clone())
    }
}

fn end(pass: &Pass) -> Option<Instant> {
    let left = pass.until?.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left.max(SOONEST))
}
