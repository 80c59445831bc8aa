//! Services that lost their last registered instance: gone, if a few; held, if they are many of a source's at once.
//!
//! A catalog that was restarted empty, a token that sees nothing any more, a server that lags: each shows services without
//! instances, one after the other. So a service that vanishes waits a moment for others to follow. (A service whose
//! instances all fail their checks has not vanished: they are still registered.)
//!
//! Invariant: a question is in at most one of `waiting` and `held`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

/// What vanished within this time before counts with it.
const WINDOW: Duration = Duration::from_mins(1);
/// That many are held, if they are also more than [`PERCENT`] of a source's.
const MANY: usize = 5;
/// How long after an operator's word what vanishes is part of it: a source that held things back itself tells them then.
const ECHO: Duration = Duration::from_secs(10);
/// See [`MANY`].
const PERCENT: usize = 30;
/// So many are held if they are all that a source has.
const ALL: usize = 3;

/// Whether so many, of so many that there were, are more than anybody takes away at once without a word.
pub(crate) const fn are_many(gone: usize, had: usize) -> bool {
    gone >= ALL && gone >= had || gone >= MANY && gone * 100 > PERCENT * had
}

/// Something that a source shows.
pub(crate) trait Sourced: Clone + Ord {
    /// The source's name.
    fn source(&self) -> &Arc<str>;
}

/// What vanished lately.
#[derive(Debug)]
pub(crate) struct Vanished<K> {
    /// How long what vanished waits for others.
    moment: Duration,
    waiting: BTreeMap<K, Instant>,
    held: BTreeSet<K>,
    /// When those were let go that were few, by source.
    gone: BTreeMap<Arc<str>, Vec<Instant>>,
    /// Until when what vanishes is meant to, by source.
    meant: BTreeMap<Arc<str>, Instant>,
}

impl<K: Sourced> Vanished<K> {
    /// Nothing has vanished; what does waits that long for others.
    pub(crate) const fn new(moment: Duration) -> Self {
        Self {
            moment,
            waiting: BTreeMap::new(),
            held: BTreeSet::new(),
            gone: BTreeMap::new(),
            meant: BTreeMap::new(),
        }
    }

    /// A service has no instances any more.
    pub(crate) fn add(&mut self, question: &K, now: Instant) {
        if !self.held.contains(question) {
            self.waiting.entry(question.clone()).or_insert(now + self.moment);
        }
    }

    /// It has some, or nobody asks for it.
    pub(crate) fn forget(&mut self, question: &K) {
        self.waiting.remove(question);
        if self.held.remove(question) && !self.held.iter().any(|other| other.source() == question.source()) {
            info!(source = %question.source(), "no service is held back any more");
        }
    }

    /// The source cannot be read any more, so that nothing is known of what it showed last.
    pub(crate) fn doubt(&mut self, question: &K) {
        self.waiting.remove(question);
    }

    /// How many services of a source wait or are held.
    pub(crate) fn count(&self, source: &str) -> usize {
        let of_source = |question: &&K| **question.source() == *source;
        self.held.iter().chain(self.waiting.keys()).filter(of_source).count()
    }

    /// When [`Self::judge`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().min().copied()
    }

    /// Decides about those that have waited; gives those that are gone, and those that are held from now on. `stocked` says how many services of a source still
    /// have endpoints in use, those that wait and those that are held included.
    pub(crate) fn judge(&mut self, now: Instant, stocked: impl Fn(&str) -> usize) -> (Vec<K>, Vec<K>) {
        let due = |(question, at): (&K, &Instant)| (*at <= now).then(|| question.source().clone());
        let sources: BTreeSet<_> = self.waiting.iter().filter_map(due).collect();
        let (mut gone, mut held) = (Vec::new(), Vec::new());
        for source in sources {
            let of_source: Vec<_> =
                self.waiting.keys().filter(|question| *question.source() == source).cloned().collect();
            let is_meant = self.is_meant(&source);
            self.waiting.retain(|question, _| *question.source() != source);
            if is_meant {
                gone.extend(of_source);
            } else if self.are_many(&source, of_source.len(), now, stocked(&source)) {
                self.held.extend(of_source.iter().cloned());
                held.extend(of_source);
            } else {
                self.gone.entry(source).or_default().extend(of_source.iter().map(|_| now));
                gone.extend(of_source);
            }
        }
        (gone, held)
    }

    /// Whether the first of those that wait vanished by an operator's word.
    fn is_meant(&self, source: &Arc<str>) -> bool {
        let due =
            self.waiting.iter().filter(|(question, _)| question.source() == source).map(|(_, at)| *at).min();
        let until = self.meant.get(source).map(|until| *until + self.moment);
        due.zip(until).is_some_and(|(due, until)| due <= until)
    }

    fn are_many(&mut self, source: &Arc<str>, vanished: usize, now: Instant, stocked: usize) -> bool {
        let gone = self.gone.entry(source.clone()).or_default();
        gone.retain(|at| now.saturating_duration_since(*at) < WINDOW);
        let held = self.held.iter().filter(|question| question.source() == source).count();
        let all = vanished + gone.len() + held;
        let many = are_many(all, stocked + gone.len());
        if many {
            let hint = format!("if they are meant to be gone: biplane source accept {source}");
            let services = vanished + held;
            warn!(%source, services, hint, "many services have vanished at once: their endpoints stay in use");
        }
        many
    }

    /// An operator means it; gives those that are gone.
    pub(crate) fn accept(&mut self, source: &str, now: Instant) -> Vec<K> {
        self.meant.insert(source.into(), now + ECHO);
        let of_source = |question: &&K| **question.source() == *source;
        let gone: Vec<_> = self.held.iter().chain(self.waiting.keys()).filter(of_source).cloned().collect();
        for question in &gone {
            self.forget(question);
        }
        gone
    }

    /// How many are held, by source.
    pub(crate) fn held(&self) -> BTreeMap<Arc<str>, usize> {
        let mut counts = BTreeMap::new();
        self.held.iter().for_each(|question| *counts.entry(question.source().clone()).or_default() += 1);
        counts
    }
}
