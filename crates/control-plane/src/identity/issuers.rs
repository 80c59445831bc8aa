//! The keys of those who sign tokens: read at the start, at intervals, and when a token comes whose key is not known.
//!
//! Invariant: keys that were read stay until others are read. A place that cannot be read, or that shows something
//! else, takes none away; those of an earlier run end when they have got too old ([`KeptKeys`]).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use biplane_core::scalars::Timestamp;
use biplane_identity::{IssuerConfig, KeySet, KeySets};
use biplane_source::pace::{Backoff, around};
use biplane_source::{KeySource, SourceError};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::kept::KeptKeys;
use super::rulebook::Book;
use super::{OpenKeys, Troubles};
use crate::status::timestamp;

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
    kept: Arc<KeptKeys>,
    troubles: Troubles,
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

/// What is needed to follow an issuer.
struct Issuer {
    name: String,
    /// Where its keys are, as the rules name it.
    place: String,
    source: Arc<dyn KeySource>,
    bell: Bell,
    refresh: Duration,
}

impl Issuer {
    /// Its keys, and the text that they are in.
    async fn read(&self) -> Result<(Vec<u8>, KeySet), SourceError> {
        let answer = timeout(DEADLINE, self.source.fetch()).await;
        let text = answer.unwrap_or_else(|_| Err(SourceError::new("no answer in time")))?;
        let invalid = |error| SourceError::invalid(format!("{}: {error}", self.source.place()));
        let keys = KeySet::parse(&text).map_err(invalid)?;
        Ok((text, keys))
    }
}

impl Issuers {
    /// Issuers of which it is told there what cannot be read.
    pub(super) fn telling(troubles: Troubles) -> Self {
        Self { troubles, ..Self::default() }
    }

    /// Keeps keys there for the next run, and takes up those of the last one.
    pub(super) fn keep_in(&self, directory: &Path) {
        self.kept.keep_in(directory);
    }

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
            let issuer = Issuer { name: name.clone(), place: config.jwks.clone(), source, bell, refresh };
            let task = tasks.spawn(self.clone().follow(issuer));
            followed.insert(name.clone(), Followed { config: config.clone(), task });
        }
    }

    /// Keys of an issuer that nobody names any more are nobody's.
    fn forget(&self, name: &str) {
        self.bells().remove(name);
        self.troubles.clear(&what(name));
        self.drop_keys(name);
    }

    fn drop_keys(&self, name: &str) {
        self.keys.send_if_modified(|keys| Arc::make_mut(keys).remove(name).is_some());
    }

    /// Takes the keys of an earlier run. Until when they are good.
    async fn restore(&self, issuer: &Issuer) -> Option<Timestamp> {
        let now = timestamp(SystemTime::now());
        let (keys, until) = self.kept.find(&issuer.name, &issuer.place, now).await?;
        self.take(&issuer.name, keys);
        info!(issuer = issuer.name, %until, "keys of an earlier run are in use until they are read again");
        Some(until)
    }

    /// What the keys that are known are worth while they cannot be read.
    fn worth(&self, name: &str, restored: Option<Timestamp>) -> String {
        match (self.keys().contains_key(name), restored) {
            (true, None) => "those that were read stay in use".to_owned(),
            (true, Some(end)) => format!("those of an earlier run are in use until {end}"),
            (false, _) => "no token of it is taken".to_owned(),
        }
    }

    async fn follow(self, issuer: Issuer) {
        let mut restored = self.restore(&issuer).await;
        let mut backoff = Backoff::starting(Duration::from_secs(1), LONGEST_PAUSE);
        let mut was_well = true;
        loop {
            let pause = match issuer.read().await {
                Ok((text, keys)) => {
                    (restored, was_well) = (None, true);
                    self.take(&issuer.name, keys);
                    self.troubles.clear(&what(&issuer.name));
                    self.kept.keep(&issuer.name, &issuer.place, &text, timestamp(SystemTime::now())).await;
                    backoff.reset();
                    around(issuer.refresh)
                }
                Err(error) => {
                    if restored.is_some_and(|end| end < timestamp(SystemTime::now())) {
                        warn!(issuer = issuer.name, "keys of an earlier run have got too old");
                        self.drop_keys(&issuer.name);
                        restored = None;
                    }
                    let worth = self.worth(&issuer.name, restored);
                    if was_well {
                        warn!(issuer = issuer.name, %error, worth, "keys cannot be read");
                    }
                    self.troubles.tell(&what(&issuer.name), &error, &worth);
                    was_well = false;
                    backoff.delay().min(issuer.refresh)
                }
            };
            let now = Instant::now();
            issuer.bell.read.send_replace(Some(now));
            tokio::select! {
                () = sleep_until(now + pause) => {}
                () = issuer.bell.ring.notified() => {}
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

/// How reports call an issuer's keys.
fn what(issuer: &str) -> String {
    format!("identity: the keys of issuer {issuer}")
}
