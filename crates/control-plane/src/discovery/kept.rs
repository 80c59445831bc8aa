//! What of the answers goes on disk, so that a restart serves it whatever is down.
//!
//! It is kept up to date answer by answer, in a map whose copy costs nothing: the writer of editions takes one and
//! looks at it without the engine.
//!
//! Invariant: what upstreams have been given is kept, and what the last run left for as long as an upstream may ask it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use biplane_core::key::ResourceRef;
use biplane_core::resources::Endpoint;
use biplane_core::scalars::Timestamp;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::Question;

/// How long the endpoints of an upstream stay that nothing names, in seconds: three days. What is taken out of service on a
/// Friday comes back on Monday with what was known of it, whatever is down then. By and by addresses are given to others, and what was
/// known of them is worse than nothing.
const UNNAMED: i64 = 3 * 24 * 60 * 60;

/// One answer as the snapshot on disk keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEndpoints {
    /// What was asked, and of whom: [`Question::text`](super::Question::text).
    pub question: Arc<str>,
    /// The endpoints that were served.
    pub endpoints: Arc<[Endpoint]>,
    /// Since when nothing names an upstream that asks it.
    pub unnamed: Option<Timestamp>,
}

/// Its line.
#[derive(Serialize, Deserialize)]
pub(crate) struct EndpointsLine {
    /// First, so that the line is known by its beginning.
    endpoints: String,
    found: Vec<Endpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unnamed: Option<Timestamp>,
}

impl KeptEndpoints {
    /// The line to write.
    pub(crate) fn to_line(&self) -> EndpointsLine {
        let (question, found) = (self.question.to_string(), self.endpoints.to_vec());
        EndpointsLine { endpoints: question, found, unnamed: self.unnamed }
    }

    /// The line as it was read.
    pub(crate) fn from_line(line: EndpointsLine) -> Self {
        Self { question: line.endpoints.into(), endpoints: line.found.into(), unnamed: line.unnamed }
    }

    /// Whether nothing has named an upstream that asks it for too long.
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        self.unnamed.is_some_and(|since| now.0.saturating_sub(since.0) >= UNNAMED)
    }
}

/// All that is kept, by the text of the question.
pub(crate) type KeptByQuestion = OrdMap<Arc<str>, KeptEndpoints>;

/// What is kept, and for whom.
#[derive(Debug, Default)]
pub(super) struct Kept {
    known: KeptByQuestion,
    /// The upstreams that have been given each of them.
    holders: BTreeMap<Arc<str>, BTreeSet<ResourceRef>>,
    /// Those of the last run that no upstream has been given yet.
    left: BTreeSet<Arc<str>>,
    /// What is left there is asked by upstreams that nothing names.
    left_is_asked: bool,
    /// Counts changes.
    pub(super) edition: u64,
}

impl Kept {
    /// What the last run left.
    pub(super) fn of(left: Vec<KeptEndpoints>) -> Self {
        let known: KeptByQuestion = left.into_iter().map(|kept| (kept.question.clone(), kept)).collect();
        Self { left: known.keys().cloned().collect(), known, ..Self::default() }
    }

    /// All of it.
    pub(super) const fn all(&self) -> &KeptByQuestion {
        &self.known
    }

    /// What the last run knew of a question that is asked now.
    pub(super) fn left_of(&mut self, question: &Question) -> Option<Arc<[Endpoint]>> {
        if self.left.is_empty() {
            return None;
        }
        let text = question.text();
        self.rename_old(question, &text);
        let kept = self.left.contains(&text).then(|| self.known.get_mut(&text)).flatten()?;
        kept.unnamed = None;
        Some(kept.endpoints.clone())
    }

    /// Versions before spelled questions in other words.
    fn rename_old(&mut self, question: &Question, text: &Arc<str>) {
        let old = question.old_text();
        if let Some(kept) = self.left.take(&*old).and_then(|old| self.known.remove(&old)) {
            self.known.insert(text.clone(), KeptEndpoints { question: text.clone(), ..kept });
            self.left.insert(text.clone());
        }
    }

    /// An upstream is given these.
    pub(super) fn give(&mut self, name: &ResourceRef, question: &Question, endpoints: &Arc<[Endpoint]>) {
        let text = question.text();
        self.edition += 1;
        self.left.remove(&text);
        self.holders.entry(text.clone()).or_default().insert(name.clone());
        let kept = KeptEndpoints { question: text.clone(), endpoints: endpoints.clone(), unnamed: None };
        self.known.insert(text, kept);
    }

    /// An upstream is gone, or has been given the answer to another question.
    pub(super) fn let_go(&mut self, name: &ResourceRef, question: &Question) {
        let text = question.text();
        let Some(holders) = self.holders.get_mut(&text) else { return };
        holders.remove(name);
        if holders.is_empty() {
            self.edition += 1;
            self.holders.remove(&text);
            self.known.remove(&text);
        }
    }

    /// Nothing names an upstream that asks this any more, or one that does is there again.
    pub(super) fn mark(&mut self, question: &Question, unnamed: Option<Timestamp>) {
        if let Some(kept) = self.known.get_mut(&question.text())
            && kept.unnamed.is_some() != unnamed.is_some()
        {
            kept.unnamed = unnamed;
            self.edition += 1;
        }
    }

    /// Whether the last run left something that may be of no use.
    pub(super) fn has_strays(&self) -> bool {
        !self.left_is_asked
    }

    /// All upstreams are known: of what the last run left only what they ask is of use, and from now on those have an age that
    /// nothing names.
    pub(super) fn drop_strays<'a>(&mut self, asked: impl Iterator<Item = &'a Question>, now: Timestamp) {
        self.left_is_asked = true;
        if self.left.is_empty() {
            return;
        }
        let mut texts = BTreeSet::new();
        for question in asked {
            let text = question.text();
            self.rename_old(question, &text);
            texts.insert(text);
        }
        self.edition += 1;
        for text in self.left.extract_if(.., |text| !texts.contains(text)) {
            self.known.remove(&text);
        }
        for text in &self.left {
            if let Some(kept) = self.known.get_mut(text) {
                kept.unnamed.get_or_insert(now);
            }
        }
    }
}
