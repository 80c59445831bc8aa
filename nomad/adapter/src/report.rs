//! What status sees of the source: all its places together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use biplane_source::{Phase, SourceError, SourceState};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::api::Place;
use crate::options::NomadOptions;

/// Where the state is kept. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: watch::Sender<SourceState>,
    places: Mutex<BTreeMap<Place, Outcome>>,
}

/// How the last look at a place went; `None`: there was none.
type Outcome = Option<Result<(), SourceError>>;

impl Report {
    pub(crate) fn new(options: &NomadOptions) -> Self {
        let mut state = SourceState::waiting(&options.name, options.required, Instant::now());
        let mut detail = |name: &str, value: String| drop(state.details.insert(name.to_owned(), value));
        detail("address", options.address.to_string());
        detail("namespaces", options.namespaces.join(", "));
        if let Some(region) = &options.region {
            detail("region", region.clone());
        }
        let inner = Inner { state: watch::Sender::new(state), places: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<SourceState> {
        self.inner.state.subscribe()
    }

    /// A place is looked at from now on.
    pub(crate) fn begin(&self, place: &Place) {
        self.change(place, Some(None));
    }

    /// A place is not looked at any more.
    pub(crate) fn end(&self, place: &Place) {
        self.change(place, None);
    }

    /// A place was looked at.
    pub(crate) fn looked(&self, place: &Place, outcome: Result<(), SourceError>) {
        self.change(place, Some(Some(outcome)));
    }

    fn change(&self, place: &Place, outcome: Option<Outcome>) {
        // One entry is changed at a time: a poisoned lock is still usable.
        let mut places = self.inner.places.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Some(outcome) => {
                let before = places.insert(place.clone(), outcome.clone()).flatten();
                say(place, before.as_ref(), outcome.as_ref());
            }
            None => drop(places.remove(place)),
        }
        self.inner.state.send_if_modified(|state| update(state, &places));
    }
}

fn say(place: &Place, before: Option<&Result<(), SourceError>>, now: Option<&Result<(), SourceError>>) {
    match (before, now) {
        (Some(Err(before)), Some(Err(now))) if before == now => {}
        (_, Some(Err(error))) => {
            let hint = error.hint.as_deref().unwrap_or_default();
            warn!(%place, %error, hint, "Nomad cannot be read, what was known stands");
        }
        (Some(Err(_)), Some(Ok(()))) => info!(%place, "Nomad can be read again"),
        _ => {}
    }
}

/// One place that fails is told, whatever the others do.
fn update(state: &mut SourceState, places: &BTreeMap<Place, Outcome>) -> bool {
    let error = places.values().flatten().find_map(|outcome| outcome.as_ref().err());
    let is_whole = !places.is_empty() && places.values().all(|outcome| matches!(outcome, Some(Ok(()))));
    match error {
        Some(error) if state.phase != Phase::Failed || state.last_error.as_ref() != Some(error) => {
            state.failed(error.clone(), Instant::now());
            true
        }
        None if is_whole && state.phase != Phase::Complete => {
            state.complete(Instant::now());
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Address;

    #[test]
    fn the_state_is_complete_when_every_place_is_and_failed_while_any_fails() {
        let address = Address::new("h", false).expect("an address");
        let report = Report::new(&NomadOptions::new(address));
        let place = |namespace: &str| Place { region: None, namespace: namespace.into() };
        let phase = || report.subscribe().borrow().phase;
        report.begin(&place("a"));
        report.begin(&place("b"));
        report.looked(&place("a"), Ok(()));
        assert_eq!(phase(), Phase::Waiting);
        report.looked(&place("b"), Ok(()));
        assert_eq!(phase(), Phase::Complete);
        report.looked(&place("b"), Err(SourceError::denied("no")));
        report.looked(&place("a"), Ok(()));
        assert_eq!(phase(), Phase::Failed);
        report.end(&place("b"));
        assert_eq!(phase(), Phase::Complete, "nobody asks for it any more");
    }
}
