//! What status sees: where the source stands, which datacenter does not answer and since when. Nothing secret.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::SystemTime;

use biplane_core::scalars::Timestamp;
use biplane_source::{Phase, SourceError, SourceState};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::options::CatalogOptions;

/// Keeps the state up to date.
#[derive(Debug)]
pub(crate) struct Report {
    state: watch::Sender<SourceState>,
    /// The trouble of each datacenter that was asked; `None`: it answers.
    datacenters: Mutex<BTreeMap<Option<String>, Option<SourceError>>>,
}

impl Report {
    pub(crate) fn new(options: &CatalogOptions, address: &str) -> Self {
        let mut state = SourceState::waiting(&*options.name, options.required, Instant::now());
        state.details.insert("address".to_owned(), address.to_owned());
        if !options.datacenters.is_empty() {
            state.details.insert("datacenters".to_owned(), options.datacenters.join(", "));
        }
        Self { state: watch::Sender::new(state), datacenters: Mutex::default() }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<SourceState> {
        self.state.subscribe()
    }

    /// A datacenter has answered.
    pub(crate) fn answered(&self, datacenter: Option<&str>) {
        let mut all = self.datacenters.lock().expect("nobody panics while holding it");
        if all.get(&datacenter.map(str::to_owned)) == Some(&None) {
            return;
        }
        all.insert(datacenter.map(str::to_owned), None);
        let others = all.values().flatten().next().cloned();
        self.state.send_modify(|state| {
            state.details.remove(&detail(datacenter));
            match others {
                None => state.complete(Instant::now()),
                // It has answered, and is ready as far as that goes; another one still does not.
                Some(error) if state.phase == Phase::Failed => state.last_error = Some(error),
                Some(error) => state.failed(error, Instant::now()),
            }
        });
    }

    /// A question was not answered as hoped.
    pub(crate) fn failed(&self, datacenter: Option<&str>, failure: &Failure) {
        let mut all = self.datacenters.lock().expect("nobody panics while holding it");
        let known = all.get(&datacenter.map(str::to_owned));
        // What is refused to one question says nothing of others, once there was an answer.
        let counts = failure.is_general || !matches!(known, Some(None));
        let is_new = known.is_none_or(Option::is_none);
        if counts {
            all.insert(datacenter.map(str::to_owned), Some(failure.error.clone()));
        }
        self.state.send_if_modified(|state| {
            let before = (state.phase, state.last_error.clone());
            if counts {
                state.failed(failure.error.clone(), Instant::now());
            } else {
                state.last_error = Some(failure.error.clone());
            }
            if counts && is_new {
                state.details.insert(detail(datacenter), since(&failure.error));
            }
            before != (state.phase, state.last_error.clone()) || counts && is_new
        });
    }
}

fn detail(datacenter: Option<&str>) -> String {
    datacenter.map_or_else(|| "own datacenter".to_owned(), |name| format!("datacenter {name}"))
}

fn since(error: &SourceError) -> String {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX));
    format!("no answer since {now}: {error}")
}

#[cfg(test)]
mod tests {
    use biplane_consul_client::Settings;

    use super::*;

    fn general(message: &str) -> Failure {
        Failure { error: SourceError::new(message), is_general: true }
    }

    #[test]
    fn a_datacenter_that_fails_is_told_with_its_age_until_it_answers() {
        let report = Report::new(&CatalogOptions::new(Settings::default()), "here");
        report.answered(Some("dc1"));
        report.answered(Some("dc2"));
        assert_eq!(report.subscribe().borrow().phase, Phase::Complete);
        report.failed(Some("dc2"), &general("cut off"));
        report.answered(Some("dc1"));
        let state = report.subscribe().borrow().clone();
        assert_eq!(state.phase, Phase::Failed);
        assert!(state.details["datacenter dc2"].contains("no answer since"), "{state:?}");
        report.answered(Some("dc2"));
        let state = report.subscribe().borrow().clone();
        assert_eq!((state.phase, state.details.contains_key("datacenter dc2")), (Phase::Complete, false));
    }

    #[test]
    fn a_refusal_of_one_service_is_told_and_does_not_fail_the_source() {
        let report = Report::new(&CatalogOptions::new(Settings::default()), "here");
        report.answered(None);
        report.failed(None, &Failure::of_one(SourceError::denied("web")));
        let state = report.subscribe().borrow().clone();
        assert_eq!((state.phase, state.last_error), (Phase::Complete, Some(SourceError::denied("web"))));
    }
}
