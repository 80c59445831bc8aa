//! What is known of one question.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Endpoint;
use biplane_source::{Cause, SourceError};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Question;

/// What the source has said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing yet.
    Waiting,
    /// Nothing yet; something is known from before.
    Restored,
    /// What is known is all there is.
    Complete,
    /// It cannot tell.
    Failed(SourceError),
}

/// What is known of one question, and who asks it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The upstreams that ask.
    pub(crate) askers: BTreeSet<ResourceRef>,
    pub(crate) state: State,
    /// What upstreams are given; none: nothing is known.
    pub(crate) served: Option<Arc<[Endpoint]>>,
    /// When the source last told all there was. While it is complete, it still holds.
    pub(crate) read: Option<Instant>,
    /// The source shows none of them, as it does of many others at once.
    pub(crate) is_held: bool,
}

impl Answer {
    /// Nothing is known.
    pub(super) const fn waiting() -> Self {
        Self { askers: BTreeSet::new(), state: State::Waiting, served: None, read: None, is_held: false }
    }

    /// What was known before is known.
    pub(super) fn restored(endpoints: Arc<[Endpoint]>) -> Self {
        Self { state: State::Restored, served: Some(endpoints), ..Self::waiting() }
    }

    /// Whether a listing takes the last endpoint away.
    pub(super) fn vanishes(&self, endpoints: &[Endpoint]) -> bool {
        endpoints.is_empty() && self.has_some()
    }

    /// Whether the source shows something of it that is not believed.
    pub(crate) fn is_doubted(&self) -> bool {
        self.is_held || matches!(&self.state, State::Failed(error) if error.cause == Cause::Suspect)
    }

    /// Whether endpoints are known.
    pub(super) fn has_some(&self) -> bool {
        self.served.as_ref().is_some_and(|known| !known.is_empty())
    }

    /// How old it may be; none: it was never told in this run.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        let fresh = self.state == State::Complete;
        self.read.map(|at| if fresh { Duration::ZERO } else { now.saturating_duration_since(at) })
    }

    /// The source has told all there is.
    pub(super) fn read(&mut self, now: Instant) {
        (self.state, self.read) = (State::Complete, Some(now));
    }

    /// The same; says whether it is news.
    pub(super) fn know(&mut self, endpoints: Vec<Endpoint>, now: Instant) -> bool {
        self.read(now);
        self.is_held = false;
        if self.served.as_deref() == Some(&*endpoints) {
            return false;
        }
        self.served = Some(endpoints.into());
        true
    }

    /// Its last endpoint is gone, as the source has told; says whether that is news.
    pub(super) fn empty(&mut self) -> bool {
        self.is_held = false;
        let had_some = self.has_some();
        self.served = Some(Arc::default());
        had_some
    }

    /// The source cannot tell; what is known stays.
    pub(super) fn fail(&mut self, question: &Question, error: SourceError, now: Instant) {
        let is_new = !matches!(&self.state, State::Failed(before) if *before == error);
        if is_new && self.state == State::Complete {
            self.read = Some(now);
        }
        if is_new {
            let (hint, known) = (error.hint.as_deref().unwrap_or_default(), self.served.is_some());
            // One source that is away fails all its questions; it says so itself.
            if matches!(error.cause, Cause::Unavailable | Cause::Suspect) {
                info!(%question, %error, known, "endpoints cannot be looked up");
            } else {
                warn!(%question, %error, hint, known, "endpoints cannot be looked up; what is known stays in use");
            }
        }
        self.state = State::Failed(error);
    }

    /// What there is to say about an upstream that asks this.
    pub(super) fn report(&self, key: &ObjectKey, question: &Question) -> Option<Report> {
        let State::Failed(error) = &self.state else { return None };
        let known = if self.served.is_some() { "what is known stays in use" } else { "none are known" };
        let message = format!("endpoints cannot be looked up, {known}: {}: {error}", question.source);
        let path = FieldPath::root().field(question.field());
        let may_mend = matches!(error.cause, Cause::Unavailable | Cause::Suspect);
        let report = if may_mend && self.served.is_some() {
            Report::warning(key, path, message)
        } else {
            Report::error(key, path, message)
        };
        Some(match &error.hint {
            Some(hint) => report.hint(hint.clone()),
            None => report,
        })
    }
}
