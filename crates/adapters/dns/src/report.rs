//! What status sees of the source: all questions together.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use biplane_source::{Phase, SourceError, SourceState};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::look::Question;
use crate::options::{DnsOptions, Servers};

/// How the last look at a question went; `None`: there was none.
type Outcome = Option<Result<(), SourceError>>;

/// Where the state is kept.
#[derive(Debug)]
pub(crate) struct Report {
    state: watch::Sender<SourceState>,
    questions: Mutex<BTreeMap<Question, Outcome>>,
}

impl Report {
    pub(crate) fn new(options: &DnsOptions) -> Self {
        let mut state = SourceState::waiting(&options.name, options.required, Instant::now());
        let servers = match &options.servers {
            Servers::File(path) => path.display().to_string(),
            Servers::These(addresses) => {
                addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
        };
        state.details.insert("servers".to_owned(), servers);
        Self { state: watch::Sender::new(state), questions: Mutex::default() }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<SourceState> {
        self.state.subscribe()
    }

    /// A question is asked from now on.
    pub(crate) fn begin(&self, question: &Question) {
        self.change(question, Some(None));
    }

    /// It is not asked any more.
    pub(crate) fn end(&self, question: &Question) {
        self.change(question, None);
    }

    /// It was asked.
    pub(crate) fn looked(&self, question: &Question, outcome: Result<(), SourceError>) {
        self.change(question, Some(Some(outcome)));
    }

    fn change(&self, question: &Question, outcome: Option<Outcome>) {
        // Entries come and go one by one: a poisoned lock is still usable.
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Some(outcome) => {
                let before = questions.insert(question.clone(), outcome.clone()).flatten();
                say(question, before.as_ref(), outcome.as_ref());
            }
            None => drop(questions.remove(question)),
        }
        self.state.send_if_modified(|state| update(state, &questions));
    }
}

fn say(question: &Question, before: Option<&Result<(), SourceError>>, now: Option<&Result<(), SourceError>>) {
    let (name, record) = (&question.name, question.record);
    match (before, now) {
        (Some(Err(before)), Some(Err(now))) if before == now => {}
        (_, Some(Err(error))) => {
            let hint = error.hint.as_deref().unwrap_or_default();
            warn!(name, ?record, %error, hint, "a name cannot be looked up, what was known stands");
        }
        (Some(Err(_)), Some(Ok(()))) => info!(name, ?record, "the name can be looked up again"),
        _ => {}
    }
}

/// One question that fails is told, whatever becomes of the others.
fn update(state: &mut SourceState, questions: &BTreeMap<Question, Outcome>) -> bool {
    let before = state.clone();
    let failed: Vec<_> = questions
        .iter()
        .filter_map(|(question, outcome)| Some((question, outcome.as_ref()?.as_ref().err()?)))
        .collect();
    let is_whole = !questions.is_empty() && questions.values().all(|outcome| matches!(outcome, Some(Ok(()))));
    if let Some((_, error)) = failed.first() {
        let names: Vec<_> = failed.iter().map(|(question, _)| question.name.as_str()).collect();
        let failing = format!("{} of {}: {}", names.len(), questions.len(), names.join(", "));
        state.details.insert("failing".to_owned(), failing);
        if state.phase != Phase::Failed || state.last_error.as_ref() != Some(error) {
            state.failed((*error).clone(), Instant::now());
        }
    } else {
        state.details.remove("failing");
        if is_whole && state.phase != Phase::Complete {
            state.complete(Instant::now());
        }
    }
    *state != before
}

#[cfg(test)]
mod tests {
    use biplane_core::resources::upstream::discovery::DnsRecord;

    use super::*;

    #[test]
    fn the_state_is_complete_when_every_name_is_known_and_failed_while_one_is_not() {
        let report = Report::new(&DnsOptions::default());
        let question = |name: &str| Question { name: name.to_owned(), record: DnsRecord::A, refresh: None };
        let state = || report.subscribe().borrow().clone();
        report.begin(&question("a"));
        report.begin(&question("b"));
        report.looked(&question("a"), Ok(()));
        assert_eq!(state().phase, Phase::Waiting);
        report.looked(&question("b"), Ok(()));
        assert_eq!(state().phase, Phase::Complete);
        report.looked(&question("b"), Err(SourceError::new("SERVFAIL")));
        report.looked(&question("a"), Ok(()));
        assert_eq!((state().phase, &*state().details["failing"]), (Phase::Failed, "1 of 2: b"));
        report.end(&question("b"));
        assert_eq!(state().phase, Phase::Complete, "nobody asks for it any more");
        assert!(!state().details.contains_key("failing"));
    }
}
