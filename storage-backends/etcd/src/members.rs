//! The members of an etcd cluster: a connection to each, of which one is in use.
//!
//! Reads that a member does not answer go to the next one, each member once. A write is sent once: it goes to
//! a member that has answered a read a moment ago, so that one that fails has truly met with trouble and may or
//! may not have happened. A connection that failed is thrown away; the next one reads certificates and passwords anew.

mod dial;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use biplane_store::StoreError;
use etcd_client::{Error, GetOptions};
use tokio::time::{Instant, timeout};
use tracing::info;

use crate::error::{Attempt, HEALTH, is_stale};
use crate::options::EtcdOptions;
use crate::place::Place;
pub(crate) use dial::Link;

/// How long the answer of a member speaks for its health.
const FRESH: Duration = Duration::from_secs(1);

/// What to say of a write that was not answered.
const UNKNOWN: &str = "it may have happened all the same: look before it is repeated";

/// All members, and which of them is in use.
pub(crate) struct Members {
    options: Arc<EtcdOptions>,
    place: Arc<Place>,
    all: Vec<Member>,
    current: AtomicUsize,
    heard: Mutex<Option<Instant>>,
}

struct Member {
    endpoint: String,
    link: tokio::sync::Mutex<Option<Link>>,
}

impl Members {
    /// Nothing is connected before the first call.
    pub(crate) fn new(options: Arc<EtcdOptions>, place: Arc<Place>) -> Self {
        let member =
            |endpoint: &String| Member { endpoint: endpoint.clone(), link: tokio::sync::Mutex::default() };
        let all = options.endpoints.iter().map(member).collect();
        Self { options, place, all, current: AtomicUsize::new(0), heard: Mutex::default() }
    }

    /// Asks the member in use and, if it does not answer, each of the others once.
    pub(crate) async fn read<T, F, Fut>(&self, what: &str, call: F) -> Result<T, StoreError>
    where
        F: Fn(Link) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let mut asked = 0;
        loop {
            let index = self.current();
            asked += 1;
            match self.ask(index, what, &call).await {
                Err(error @ StoreError::Unavailable { .. }) => {
                    self.leave(index).await;
                    if asked == self.all.len() {
                        return Err(advise(error, HEALTH));
                    }
                }
                answer => return answer,
            }
        }
    }

    /// Sends a write to the member in use, once.
    pub(crate) async fn write<T, F, Fut>(&self, what: &str, call: F) -> Result<T, StoreError>
    where
        F: Fn(Link) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        if !self.is_fresh() {
            self.find().await?;
        }
        let index = self.current();
        let answer = self.ask(index, what, &call).await;
        let Err(error @ StoreError::Unavailable { .. }) = answer else { return answer };
        self.leave(index).await;
        Err(advise(error, UNKNOWN))
    }

    /// Takes the next member into use, and forgets the connection to this one.
    pub(crate) async fn leave(&self, index: usize) {
        let next = (index + 1) % self.all.len();
        let moved = self.current.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
        let was_heard = self.hear(None);
        // Said once: where no member answers, each retry of the driver asks them all.
        if moved.is_ok() && next != index && was_heard {
            let (from, to) = (&self.all[index].endpoint, &self.all[next].endpoint);
            info!(from, to, "an etcd member does not answer, asking the next one");
        }
        self.forget(index).await;
    }

    /// Has the next call to a member connect, and log in, anew.
    pub(crate) async fn forget(&self, index: usize) {
        *self.all[index].link.lock().await = None;
    }

    /// How an attempt at a member is called.
    pub(crate) fn attempt<'a>(&'a self, index: usize, what: &'a str) -> Attempt<'a> {
        Attempt { what, member: &self.all[index].endpoint, root: &self.place.root }
    }

    /// Finds a member that answers; one that refuses a right answers as well.
    async fn find(&self) -> Result<(), StoreError> {
        let key = self.place.sentinel.as_bytes();
        let probe = |link: Link| link.get(key.to_vec(), GetOptions::new().with_count_only());
        match self.read("reach etcd", probe).await {
            Err(error @ StoreError::Unavailable { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// One call to one member under the deadlines. One that has to say again who it is does so once.
    async fn ask<T, F, Fut>(&self, index: usize, what: &str, call: &F) -> Result<T, StoreError>
    where
        F: Fn(Link) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let attempt = self.attempt(index, what);
        let mut is_new = false;
        loop {
            let link = self.link(index, attempt).await?;
            let answer = timeout(self.options.call_timeout, call(link)).await;
            match answer.map_err(|_| attempt.too_slow(self.options.call_timeout))? {
                Err(error) if is_stale(&error) && !is_new => {
                    is_new = true;
                    self.forget(index).await;
                }
                Err(error) => return Err(attempt.explain(&error)),
                Ok(answer) => {
                    self.hear(Some(Instant::now()));
                    return Ok(answer);
                }
            }
        }
    }

    /// The connection to a member, a new one if there is none.
    async fn link(&self, index: usize, attempt: Attempt<'_>) -> Result<Link, StoreError> {
        // Logging in is a call of its own.
        let deadline = self.options.connect_timeout + self.options.call_timeout;
        let connecting = async {
            let mut link = self.all[index].link.lock().await;
            if let Some(link) = &*link {
                return Ok(link.clone());
            }
            let new = dial::connect(&self.options, attempt, index).await?;
            Ok(link.insert(new).clone())
        };
        timeout(deadline, connecting).await.unwrap_or_else(|_| Err(attempt.too_slow(deadline)))
    }

    fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    fn is_fresh(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|heard| heard.elapsed() < FRESH)
    }

    /// Notes when a member answered last, and says whether one had since the last trouble.
    fn hear(&self, when: Option<Instant>) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *heard, when).is_some()
    }
}

/// The error with advice, if it has none.
fn advise(error: StoreError, hint: &str) -> StoreError {
    if error.hint().is_some() { error } else { error.with_hint(hint) }
}

/// Without the connections, which know tokens and passwords.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.all.iter().map(|member| &member.endpoint).collect();
        f.debug_struct("Members").field("endpoints", &endpoints).finish_non_exhaustive()
    }
}
