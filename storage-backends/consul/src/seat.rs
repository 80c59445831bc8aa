//! The leader's seat: a lock on `meta/leader`, held by a session that has to be renewed.
//!
//! Consul's lock is advice, not exclusion: whoever slept past its session may still believe that it leads. So
//! each of a leader's writes names the session, and Consul checks in the same transaction that it still holds
//! the lock. By its own clock a leader gives up before the session can have ended.

use std::time::Duration;

use async_trait::async_trait;
use biplane_consul_client::{NewSession, PutCondition, Query, SessionBehavior};
use biplane_store::records::LEADER;
use biplane_store::{Fence, Seat, StoreError};
use tokio::runtime::Handle as Runtime;
use tokio::time::{Instant, sleep, sleep_until};

use crate::shared::Handle;

/// How long to wait when nobody holds the seat and Consul does not give it away: a lock delay is running, of
/// which nothing tells the end.
const DELAYED: Duration = Duration::from_secs(1);

/// A session of ours. Dropping it ends it, as soon as Consul learns of it.
#[derive(Debug)]
struct Session {
    shared: Handle,
    id: String,
    /// When it was last known to live.
    renewed: Instant,
}

/// The seat, held by a session.
#[derive(Debug)]
struct ConsulSeat {
    session: Session,
    fence: Fence,
    /// The index at which the seat was last seen to be ours.
    seen: u64,
}

/// Waits for the seat and takes it.
pub(crate) async fn campaign(shared: Handle, owner: &str) -> Result<Box<dyn Seat>, StoreError> {
    let key = shared.place.record(LEADER);
    let mut session = Session::begin(shared.clone(), owner).await?;
    loop {
        let acquire = PutCondition::Acquire(&session.id);
        let taken = shared.client.kv_put(&key, owner.as_bytes().to_vec(), acquire).await;
        let taken = taken.map_err(|error| shared.failure(error))?;
        let entry = shared.get(&key).await?;
        let holder = entry.as_ref().and_then(|entry| entry.session.as_deref());
        let at = entry.as_ref().map_or(0, |entry| entry.modify_index);
        if taken && holder == Some(&session.id) {
            let fence = Fence { term: at, holder: session.id.clone() };
            return Ok(Box::new(ConsulSeat { session, fence, seen: at }));
        }
        let held = holder.map(|_| at);
        tokio::select! {
            free = free(&shared, &key, held) => free?,
            lost = session.keep() => return Err(lost),
        }
    }
}

/// Waits until the seat is not what it was when it was held; if nobody held it, for a moment.
async fn free(shared: &Handle, key: &str, held: Option<u64>) -> Result<(), StoreError> {
    let Some(index) = held else {
        sleep(DELAYED).await;
        return Ok(());
    };
    let began = Instant::now();
    // Not for long: Consul does not wake every query whose key is deleted with others.
    let wait = shared.tuning.session_ttl;
    let query = Query::after(index, wait);
    let answer = shared.client.kv_get(key, &query).await.map_err(|error| shared.failure(error))?;
    if answer.meta.index <= index && began.elapsed() < wait {
        sleep(DELAYED).await;
    }
    Ok(())
}

impl Session {
    async fn begin(shared: Handle, owner: &str) -> Result<Self, StoreError> {
        let session = NewSession {
            name: format!("biplane leader {owner}"),
            ttl: shared.tuning.session_ttl,
            behavior: SessionBehavior::Release,
            lock_delay: shared.tuning.lock_delay,
        };
        let renewed = Instant::now();
        let id =
            shared.client.session_create(&session).await.map_err(|error| match shared.failure(error) {
                StoreError::Denied { message, .. } => StoreError::denied(message).with_hint(
                    "the token's policy needs session_prefix \"\" with policy \"write\" to lead, and \
                     key_prefix with policy \"write\" below the root",
                ),
                other => other,
            })?;
        Ok(Self { shared, id, renewed })
    }

    /// Renews the session for as long as that works; ends with the reason why it does not.
    async fn keep(&mut self) -> StoreError {
        let ttl = self.shared.tuning.session_ttl;
        let mut trouble = None;
        loop {
            let end = self.renewed + ttl * 2 / 3;
            if Instant::now() >= end {
                return trouble.unwrap_or_else(deposed);
            }
            // From the last renewal, not from now: whoever calls this again and again must not put it off.
            let due = if trouble.is_some() { Instant::now() + ttl / 15 } else { self.renewed + ttl / 3 };
            sleep_until(due.min(end)).await;
            let asked = Instant::now();
            let renewal = tokio::time::timeout_at(end, self.shared.client.session_renew(&self.id)).await;
            match renewal {
                Ok(Ok(true)) => (self.renewed, trouble) = (asked, None),
                Ok(Ok(false)) => return deposed(),
                Ok(Err(error)) => trouble = Some(self.shared.failure(error)),
                Err(_) => {
                    trouble = Some(StoreError::unavailable("the leader's session cannot be renewed in time"));
                }
            }
        }
    }

    async fn end(&self) {
        // What fails here ends by itself: a session that nobody renews.
        let _ = self.shared.client.session_destroy(&self.id).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let (shared, id) = (self.shared.clone(), std::mem::take(&mut self.id));
        if let (false, Ok(runtime)) = (id.is_empty(), Runtime::try_current()) {
            runtime.spawn(async move {
                let key = shared.place.record(LEADER);
                release(&shared, &key, &id).await;
                let _ = shared.client.session_destroy(&id).await;
            });
        }
    }
}

/// Lets go of the seat if this session holds it. A lock that is let go of has no delay; one that ends with its
/// session has.
async fn release(shared: &Handle, key: &str, session: &str) {
    let entry = shared.client.kv_get(key, &Query::consistent()).await;
    let Ok(Some(entry)) = entry.map(|answer| answer.value) else { return };
    if entry.session.as_deref() == Some(session) {
        let value = entry.value().unwrap_or_default();
        let _ = shared.client.kv_put(key, value, PutCondition::Release(session)).await;
    }
}

impl ConsulSeat {
    /// Ends when somebody else holds the seat, or nobody.
    async fn taken(shared: &Handle, seen: &mut u64, holder: &str) -> StoreError {
        let key = shared.place.record(LEADER);
        loop {
            // Not for long: Consul does not wake every query whose key is deleted with others.
            let query = Query::after(*seen, shared.tuning.session_ttl);
            match shared.client.kv_get(&key, &query).await {
                Ok(answer) => {
                    let ours = answer.value.is_some_and(|entry| entry.session.as_deref() == Some(holder));
                    if !ours {
                        return deposed();
                    }
                    if answer.meta.index <= *seen {
                        sleep(DELAYED).await;
                    }
                    *seen = answer.meta.index;
                }
                // Whether it matters is decided by the session's renewal.
                Err(_) => sleep(DELAYED).await,
            }
        }
    }
}

#[async_trait]
impl Seat for ConsulSeat {
    fn fence(&self) -> Fence {
        self.fence.clone()
    }

    async fn lost(&mut self) -> StoreError {
        let shared = self.session.shared.clone();
        tokio::select! {
            error = self.session.keep() => error,
            error = Self::taken(&shared, &mut self.seen, &self.fence.holder) => error,
        }
    }

    async fn resign(mut self: Box<Self>) {
        let key = self.session.shared.place.record(LEADER);
        release(&self.session.shared, &key, &self.session.id).await;
        self.session.end().await;
        self.session.id.clear();
    }
}

/// The error of a leader who no longer is.
pub(crate) fn deposed() -> StoreError {
    StoreError::Deposed { message: "Consul says that the leader's seat has changed hands".to_owned() }
}
