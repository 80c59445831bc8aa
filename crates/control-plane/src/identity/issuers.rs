//! The keys of those who sign tokens: read at the start, at intervals, and when a token comes whose key is not known.
//!
//! Invariant: keys that were read stay until others are read. A place that cannot be read, or that shows something
//! else, takes none away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use biplane_identity::{IssuerConfig, KeySet, KeySets};
use biplane_source::pace::{Backoff, around};
use biplane_source::{KeySource, SourceError};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::OpenKeys;
use super::rulebook::Book;

/// How often keys are read without a reason, unless the settings say so.
const REFRESH: Duration = Duration::from_mins(5);

/// No place is asked more often, whoever sends tokens with whatever keys.
const MOST_OFTEN: Duration = Duration::from_secs(5);

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How long a place may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// All issuers. A cheap handle: clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Issuers {
    keys: Arc<watch::Sender<Arc<KeySets>>>,
    bells: Arc<Mutex<BTreeMap<String, Bell>>>,
}

/// Has an issuer's keys read at once, and tells when that was done.
#[derive(Clone, Debug)]
struct Bell {
    ring: Arc<Notify>,
    read: Arc<watch::Sender<Option<Instant>>>,
}

/// An issuer that is followed.
struct Followed {
    config: IssuerConfig,
    task: AbortHandle,
}

impl Issuers {
    /// All keys that could be read.
    pub(super) fn keys(&self) -> Arc<KeySets> {
        self.keys.borrow().clone()
    }

    /// The keys from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<KeySets>> {
        self.keys.subscribe()
    }

    /// Has an issuer's keys read, and waits for that a little. One that was asked a moment ago is not asked again.
    pub(super) async fn ask(&self, issuer: &str) {
        let mut keys = self.keys.subscribe();
        let bell = self.bells().get(issuer).cloned();
        let Some(bell) = bell else {
            // Nobody follows it yet: the process has just begun.
            let _ = timeout(PATIENCE, keys.changed()).await;
            return;
        };
        let mut read = bell.read.subscribe();
        if read.borrow_and_update().is_some_and(|read| read.elapsed() < MOST_OFTEN) {
            return;
        }
        bell.ring.notify_one();
        let _ = timeout(PATIENCE, read.changed()).await;
    }

    /// Follows the issuers that the rules name, until shutdown.
    pub(super) async fn run(
        &self,
        mut book: watch::Receiver<Book>,
        open: Option<OpenKeys>,
        shutdown: CancellationToken,
    ) {
        let (mut tasks, mut followed) = (JoinSet::new(), BTreeMap::new());
        loop {
            let wanted = book.borrow_and_update().identity.issuers.clone();
            self.turn(&wanted, open.as_ref(), &mut followed, &mut tasks);
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = book.changed() => if changed.is_err() { break },
            }
        }
        tasks.shutdown().await;
    }

    /// Begins and ends to follow issuers.
    fn turn(
        &self,
        wanted: &BTreeMap<String, IssuerConfig>,
        open: Option<&OpenKeys>,
        followed: &mut BTreeMap<String, Followed>,
        tasks: &mut JoinSet<()>,
    ) {
        followed.retain(|name, followed| {
            let stays = wanted.get(name) == Some(&followed.config);
            if !stays {
                followed.task.abort();
                self.forget(name);
            }
            stays
        });
        for (name, config) in wanted {
            if followed.contains_key(name) {
                continue;
            }
            let opened = match open {
                Some(open) => (open.0)(config),
                None => Err(SourceError::invalid("this process cannot read keys")),
            };
            let source = match opened {
                Ok(source) => source,
                Err(error) => {
                    warn!(issuer = name, %error, hint = error.hint, "keys cannot be read: no token of this issuer is taken");
                    continue;
                }
            };
            let bell = Bell { ring: Arc::default(), read: Arc::new(watch::Sender::new(None)) };
            self.bells().insert(name.clone(), bell.clone());
            let refresh = config.refresh.map_or(REFRESH, |refresh| refresh.0.max(MOST_OFTEN));
            let task = tasks.spawn(self.clone().follow(name.clone(), source, bell, refresh));
            followed.insert(name.clone(), Followed { config: config.clone(), task });
        }
    }

    /// Keys of an issuer that nobody names any more are nobody's.
    fn forget(&self, name: &str) {
        self.bells().remove(name);
        self.keys.send_if_modified(|keys| Arc::make_mut(keys).remove(name).is_some());
    }

    async fn follow(self, name: String, source: Arc<dyn KeySource>, bell: Bell, refresh: Duration) {
        let mut backoff = Backoff::starting(Duration::from_secs(1), LONGEST_PAUSE);
        let mut was_well = true;
        loop {
            let answer = timeout(DEADLINE, source.fetch()).await;
            let answer = answer.unwrap_or_else(|_| Err(SourceError::new("no answer in time")));
            let keys = answer.and_then(|text| {
                KeySet::parse(&text)
                    .map_err(|error| SourceError::invalid(format!("{}: {error}", source.place())))
            });
            let pause = match keys {
                Ok(keys) => {
                    self.take(&name, keys);
                    backoff.reset();
                    was_well = true;
                    around(refresh)
                }
                Err(error) => {
                    if was_well {
                        warn!(issuer = name, %error, "keys cannot be read; those that are known stay in use");
                    }
                    was_well = false;
                    backoff.delay().min(refresh)
                }
            };
            let now = Instant::now();
            bell.read.send_replace(Some(now));
            tokio::select! {
                () = sleep_until(now + pause) => {}
                () = bell.ring.notified() => {}
            }
        }
    }

    fn take(&self, name: &str, keys: KeySet) {
        let count = format!("{keys:?}");
        let is_news = self.keys.send_if_modified(|sets| {
            let is_news = sets.get(name) != Some(&keys);
            if is_news {
                Arc::make_mut(sets).insert(name.to_owned(), keys);
            }
            is_news
        });
        if is_news {
            info!(issuer = name, keys = count, "keys read");
        }
    }

    fn bells(&self) -> MutexGuard<'_, BTreeMap<String, Bell>> {
        // Plain data stays whole even if a thread panicked while it held the lock.
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
