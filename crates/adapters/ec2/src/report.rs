//! What status sees of the source: all its listings together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use biplane_source::{Phase, SourceError, SourceState};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::options::Ec2Options;

/// Where the state is kept. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: watch::Sender<SourceState>,
    listings: Mutex<BTreeMap<String, Listed>>,
}

/// How a listing is doing.
#[derive(Clone, Debug, Default)]
struct Listed {
    /// How its last poll went; `None`: there was none.
    outcome: Option<Result<(), SourceError>>,
    /// For people.
    detail: String,
}

impl Report {
    pub(crate) fn new(options: &Ec2Options) -> Self {
        let state = SourceState::waiting(&options.name, options.required, Instant::now());
        let inner = Inner { state: watch::Sender::new(state), listings: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<SourceState> {
        self.inner.state.subscribe()
    }

    /// A listing is made from now on.
    pub(crate) fn begin(&self, label: &str) {
        self.change(label, |listings| drop(listings.insert(label.to_owned(), Listed::default())));
    }

    /// It is not made any more.
    pub(crate) fn end(&self, label: &str) {
        self.change(label, |listings| drop(listings.remove(label)));
    }

    /// A poll has ended; `detail` says with what.
    pub(crate) fn polled(&self, label: &str, outcome: Result<(), SourceError>, detail: String) {
        self.change(label, |listings| {
            let listed = listings.entry(label.to_owned()).or_default();
            say(label, listed.outcome.as_ref(), &outcome);
            *listed = Listed { outcome: Some(outcome), detail };
        });
    }

    fn change(&self, label: &str, change: impl FnOnce(&mut BTreeMap<String, Listed>)) {
        // Entries come and go one by one: a poisoned lock is still usable.
        let mut listings = self.inner.listings.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut listings);
        self.inner.state.send_if_modified(|state| update(state, label, &listings));
    }
}

fn say(label: &str, before: Option<&Result<(), SourceError>>, now: &Result<(), SourceError>) {
    match (before, now) {
        (Some(Err(before)), Err(now)) if before == now => {}
        (_, Err(error)) => {
            let hint = error.hint.as_deref().unwrap_or_default();
            warn!(listing = label, %error, hint, "EC2 cannot be read, what was known stands");
        }
        (Some(Err(_)), Ok(())) => info!(listing = label, "EC2 can be read again"),
        _ => {}
    }
}

/// One listing that fails is told, whatever becomes of the others.
fn update(state: &mut SourceState, label: &str, listings: &BTreeMap<String, Listed>) -> bool {
    let before = state.clone();
    match listings.get(label).filter(|listed| !listed.detail.is_empty()) {
        Some(listed) => drop(state.details.insert(label.to_owned(), listed.detail.clone())),
        None => drop(state.details.remove(label)),
    }
    let outcomes = || listings.values().map(|listed| listed.outcome.as_ref());
    let error = outcomes().flatten().find_map(|outcome| outcome.as_ref().err());
    let is_whole = !listings.is_empty() && outcomes().all(|outcome| matches!(outcome, Some(Ok(()))));
    match error {
        Some(error) if state.phase != Phase::Failed || state.last_error.as_ref() != Some(error) => {
            state.failed(error.clone(), Instant::now());
        }
        None if is_whole && state.phase != Phase::Complete => state.complete(Instant::now()),
        _ => {}
    }
    *state != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_complete_when_every_listing_is_and_failed_while_one_is_not() {
        let report = Report::new(&Ec2Options::default());
        let state = || report.subscribe().borrow().clone();
        report.begin("a");
        report.begin("b");
        report.polled("a", Ok(()), "3 instances".to_owned());
        assert_eq!(state().phase, Phase::Waiting);
        report.polled("b", Ok(()), "1 instance".to_owned());
        assert_eq!(state().phase, Phase::Complete);
        report.polled("b", Err(SourceError::denied("no")), "1 instance, old".to_owned());
        report.polled("a", Ok(()), "4 instances".to_owned());
        assert_eq!(state().phase, Phase::Failed);
        assert_eq!((&*state().details["a"], &*state().details["b"]), ("4 instances", "1 instance, old"));
        report.end("b");
        assert_eq!(state().phase, Phase::Complete, "nobody asks for it any more");
        assert!(!state().details.contains_key("b"));
    }
}
