//! Secrets that somebody sets: the reference source, and the source of tests.
//!
//! It answers requests of every kind, and nothing in it happens by itself: it says what it was last told to say.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::WatchStream;

use crate::{Listing, Secret, SecretOptions, SecretRequest, SecretSource, SourceError, SourceState, Watch};

/// How long a read waits for a source that does not answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Secrets by request, as they were last set. Clones are the same source.
#[derive(Clone)]
pub struct FixedSecrets {
    name: String,
    required: bool,
    has_objects: bool,
    shared: Arc<Shared>,
}

struct Shared {
    world: watch::Sender<World>,
    state: watch::Sender<SourceState>,
    watched: Mutex<BTreeMap<SecretRequest, Counts>>,
}

#[derive(Clone, Default)]
struct World {
    secrets: BTreeMap<SecretRequest, Result<Secret, SourceError>>,
    failure: Option<SourceError>,
    silent: bool,
    refreshes: usize,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    now: usize,
    ever: usize,
}

/// Counts one watch for as long as its stream lives, and keeps the source alive so that the stream does not end.
struct Watching {
    shared: Arc<Shared>,
    request: SecretRequest,
}

impl FixedSecrets {
    /// A source that knows no secret, is named `fixed` and not required, and holds no objects of its own.
    pub fn new() -> Self {
        let state = SourceState::waiting("fixed", false, Instant::now());
        let shared = Shared {
            world: watch::Sender::default(),
            state: watch::Sender::new(state),
            watched: Mutex::default(),
        };
        Self { name: "fixed".to_owned(), required: false, has_objects: false, shared: Arc::new(shared) }
    }

    /// The same source by another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self.shared.state.send_modify(|state| state.name.clone_from(&self.name));
        self
    }

    /// The same source, which Envoys wait for.
    #[must_use]
    pub fn as_required(mut self) -> Self {
        self.required = true;
        self.shared.state.send_modify(|state| state.required = true);
        self
    }

    /// The same source, which says that it holds objects of its own.
    #[must_use]
    pub fn with_objects(mut self) -> Self {
        self.has_objects = true;
        self
    }

    /// From now on this is the secret. It is news unless it differs from the one before by when it was
    /// obtained only.
    pub fn set(&self, request: SecretRequest, secret: Secret) {
        self.change(|world| drop(world.secrets.insert(request, Ok(secret))));
    }

    /// From now on this one secret cannot be read; the source answers for the others.
    pub fn refuse(&self, request: SecretRequest, error: SourceError) {
        self.change(|world| drop(world.secrets.insert(request, Err(error))));
    }

    /// From now on the secret is known to be absent.
    pub fn delete(&self, request: &SecretRequest) {
        self.change(|world| drop(world.secrets.remove(request)));
    }

    /// From now on the source cannot be read, or can be again.
    pub fn fail(&self, failure: Option<SourceError>) {
        self.change(|world| world.failure = failure);
        self.settle();
    }

    /// From now on the source does not answer at all, neither well nor badly; or it does again.
    pub fn fall_silent(&self, silent: bool) {
        self.change(|world| world.silent = silent);
        if !silent {
            self.settle();
        }
    }

    /// How many watches of the secret are held now.
    pub fn watches(&self, request: &SecretRequest) -> usize {
        self.shared.counts(request).now
    }

    /// How many watches of the secret were ever made.
    pub fn watches_ever(&self, request: &SecretRequest) -> usize {
        self.shared.counts(request).ever
    }

    /// How often [`SecretSource::refresh`] was called.
    pub fn refreshes(&self) -> usize {
        self.shared.world.borrow().refreshes
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        self.shared.world.send_modify(change);
    }

    fn settle(&self) {
        let failure = self.shared.world.borrow().failure.clone();
        self.shared.note(failure);
    }
}

impl Default for FixedSecrets {
    fn default() -> Self {
        Self::new()
    }
}

/// The name only.
impl fmt::Debug for FixedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedSecrets").field("name", &self.name).finish_non_exhaustive()
    }
}

impl World {
    /// What there is to tell; nothing while the source is silent.
    fn listing(&self, request: &SecretRequest) -> Option<Listing<Option<Secret>>> {
        if self.silent {
            return None;
        }
        if let Some(failure) = &self.failure {
            return Some(Listing::Failed(failure.clone()));
        }
        Some(match self.secrets.get(request).cloned().transpose() {
            Ok(secret) => Listing::Complete(secret),
            Err(error) => Listing::Failed(error),
        })
    }
}

impl Shared {
    /// What there is to tell, once told: status sees it too.
    fn answer(&self, world: &World, request: &SecretRequest) -> Option<Listing<Option<Secret>>> {
        let listing = world.listing(request)?;
        self.note(world.failure.clone());
        Some(listing)
    }

    fn note(&self, failure: Option<SourceError>) {
        let now = Instant::now();
        self.state.send_if_modified(|state| {
            let before = state.clone();
            match failure {
                Some(failure) => state.failed(failure, now),
                None => state.complete(now),
            }
            (state.phase, &state.last_error) != (before.phase, &before.last_error)
        });
    }

    fn counts(&self, request: &SecretRequest) -> Counts {
        self.with_counts(request, |counts| *counts)
    }

    fn with_counts<T>(&self, request: &SecretRequest, change: impl FnOnce(&mut Counts) -> T) -> T {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        change(watched.entry(request.clone()).or_default())
    }
}

impl Watching {
    fn new(shared: Arc<Shared>, request: &SecretRequest) -> Self {
        shared.with_counts(request, |counts| (counts.now, counts.ever) = (counts.now + 1, counts.ever + 1));
        Self { shared, request: request.clone() }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shared.with_counts(&self.request, |counts| counts.now -= 1);
    }
}

#[async_trait]
impl SecretSource for FixedSecrets {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn kind(&self) -> &'static str {
        "fixed"
    }

    fn required(&self) -> bool {
        self.required
    }

    fn has_objects(&self) -> bool {
        self.has_objects
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.shared.state.subscribe()
    }

    async fn read(&self, request: &SecretRequest) -> Result<Option<Secret>, SourceError> {
        let mut watch = self.watch(request, SecretOptions::default());
        match timeout(DEADLINE, watch.next()).await {
            Ok(Some(Listing::Complete(secret))) => Ok(secret),
            Ok(Some(Listing::Failed(error))) => Err(error),
            Ok(None) | Err(_) => Err(SourceError::new(format!("{} does not answer", self.name))),
        }
    }

    fn watch(&self, request: &SecretRequest, _: SecretOptions) -> Watch<Option<Secret>> {
        let watching = Watching::new(self.shared.clone(), request);
        let mut told = None;
        // A change of another secret is no news for this one.
        let listing = move |world: World| {
            let listing = watching.shared.answer(&world, &watching.request);
            let news = listing
                .filter(|listing| !told.as_ref().is_some_and(|told: &Listing<_>| told.is_no_news(listing)));
            if news.is_some() {
                told.clone_from(&news);
            }
            futures::future::ready(news)
        };
        WatchStream::new(self.shared.world.subscribe()).filter_map(listing).boxed()
    }

    fn refresh(&self) {
        self.change(|world| world.refreshes += 1);
    }
}
