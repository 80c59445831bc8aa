//! Endpoints that are looked up: which upstreams ask for what, what is known of each answer, and what is served.
//!
//! ```text
//!  edits of upstreams ─▶ questions ─ those of named upstreams ─▶ wanted ─▶ keeper ─▶ sources
//!                            ▲                                                │
//!  graph ◀─ endpoints ─ answers ◀──────── told: a listing of one question ◀───┘
//! ```
//!
//! Upstreams that ask the same share one answer. An answer touches the load assignments of its upstreams alone: never a
//! cluster, and no edit of an upstream takes its endpoints away (I5). Everything here is decided without I/O;
//! [`keeper`] asks the sources.
//!
//! Invariants: what was served stays served until something better is known (I1). `wanted` holds exactly the
//! questions of the upstreams that something names. Many services that vanish at once are held ([`vanished`](crate::vanished), I3).

mod answer;
mod canonical;
pub(crate) mod keeper;
mod kept;
mod question;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::report::Report;
use biplane_core::resources::{Endpoint, Secret, Spec, Upstream};
use biplane_core::scalars::Timestamp;
use biplane_source::{Cause, Listing};
use imbl::OrdMap;
use tokio::time::Instant;

use crate::graph::Edit;
use crate::vanished::{Sourced, Vanished};
pub(crate) use answer::{Answer, State};
use kept::Kept;
pub(crate) use kept::KeptByQuestion;
pub use kept::KeptEndpoints;
use question::Misasked;
pub use question::{DiscoverySource, Question};

/// What was heard about one question.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) question: Question,
    pub(crate) listing: Listing<Vec<Endpoint>>,
}

/// All that is wanted, each with the number of its watch: what is wanted anew is asked anew, however short the time in which
/// nobody wanted it. A copy shares everything.
pub(crate) type WantedEndpoints = OrdMap<Question, u64>;

/// An upstream whose endpoints are looked up.
#[derive(Debug)]
pub(crate) struct Asker {
    spec: Arc<Upstream>,
    pub(crate) question: Result<Question, Misasked>,
    pub(crate) is_named: bool,
    /// What the graph has been given.
    pub(crate) served: Option<Arc<[Endpoint]>>,
    /// The question that this answers; while a new one has no answer it is the one before.
    answered: Option<Question>,
}

/// The endpoints of one process.
#[derive(Debug)]
pub struct Discovery {
    sources: Vec<DiscoverySource>,
    /// For the snapshot on disk.
    kept: Kept,
    askers: BTreeMap<ResourceRef, Asker>,
    answers: BTreeMap<Question, Answer>,
    /// Questions that nobody asks any more; somebody may before the transaction ends.
    idle: BTreeSet<Question>,
    /// Upstreams that ask with the credentials of a secret.
    credentials: BTreeMap<ResourceRef, BTreeSet<ResourceRef>>,
    wanted: WantedEndpoints,
    /// Counts watches.
    watches: u64,
    /// Every upstream counts as named: a route picks its cluster by a header.
    all_named: bool,
    /// Upstreams that are about to be named.
    expected: BTreeSet<ResourceRef>,
    vanished: Vanished<Question>,
}

/// How long a service that vanished waits for others.
const MOMENT: Duration = Duration::from_secs(1);

impl Default for Discovery {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl Sourced for Question {
    fn source(&self) -> &Arc<str> {
        &self.source
    }
}

impl Asker {
    /// The field of the upstream that says what is looked up.
    pub(crate) fn field(&self) -> &'static str {
        self.spec.discovery().map_or("", question::field_of)
    }

    /// What the graph has, as far as it answers this.
    fn known(&self, question: &Question) -> Option<Arc<[Endpoint]>> {
        let answered = self.answered.as_ref().filter(|answered| answered.asks_as(question));
        answered.and_then(|_| self.served.clone())
    }
}

impl Discovery {
    /// Endpoints from these sources, with what the last run left.
    pub fn new(sources: Vec<DiscoverySource>, left: Vec<KeptEndpoints>) -> Self {
        Self {
            sources,
            kept: Kept::of(left),
            askers: BTreeMap::new(),
            answers: BTreeMap::new(),
            idle: BTreeSet::new(),
            credentials: BTreeMap::new(),
            wanted: WantedEndpoints::default(),
            watches: 0,
            all_named: false,
            expected: BTreeSet::new(),
            vanished: Vanished::new(MOMENT),
        }
    }

    /// Looks at edits on their way to the graph; gives those that endpoints add to them. `secret` and `is_named` answer
    /// from the graph as it is before the edits.
    pub(crate) fn follow(
        &mut self,
        edits: &[Edit],
        secret: impl Fn(&ResourceRef) -> Option<Arc<Secret>>,
        is_named: impl Fn(&ObjectKey) -> bool,
    ) -> Vec<Edit> {
        let mut fresh = BTreeMap::new();
        for edit in edits.iter().filter(|edit| edit.key().kind == Kind::Secret) {
            let spec = match edit {
                Edit::Put(object, _) => object.spec.secret().cloned(),
                _ => None,
            };
            fresh.insert(edit.key().reference(), spec);
        }
        let secret = |name: &ResourceRef| fresh.get(name).cloned().unwrap_or_else(|| secret(name));
        let mut changed = BTreeSet::new();
        for edit in edits.iter().filter(|edit| edit.key().kind == Kind::Upstream) {
            let name = edit.key().reference();
            match edit {
                Edit::Put(object, _) => {
                    let Spec::Upstream(spec) = &object.spec else { continue };
                    self.put(&name, spec, &secret, is_named(edit.key()));
                    changed.insert(name);
                }
                Edit::Delete(_) => self.forget(&name),
                Edit::Endpoints(..) => {}
            }
        }
        for name in fresh.keys() {
            for asker in self.credentials.get(name).cloned().unwrap_or_default() {
                self.ask_again(&asker, &secret);
                changed.insert(asker);
            }
        }
        changed.iter().filter_map(|name| self.serve(name)).collect()
    }

    fn put(
        &mut self,
        name: &ResourceRef,
        spec: &Arc<Upstream>,
        secret: &impl Fn(&ResourceRef) -> Option<Arc<Secret>>,
        is_named: bool,
    ) {
        let Some(discovery) = spec.discovery() else {
            self.forget(name);
            return;
        };
        let question = Question::of(discovery, &self.sources, secret);
        let same = self.askers.get(name).is_some_and(|asker| asker.question == question);
        if same {
            let asker = self.askers.get_mut(name).expect("just looked at");
            (asker.spec, asker.is_named) = (spec.clone(), is_named);
            self.settle(name);
            return;
        }
        let before = self.withdraw(name).map(|asker| (asker.served, asker.answered));
        if let Some(secret) = question::secret(discovery) {
            self.credentials.entry(secret.clone()).or_default().insert(name.clone());
        }
        let (served, answered) = before.unwrap_or_default();
        let asker = Asker { spec: spec.clone(), question, is_named, served, answered };
        self.askers.insert(name.clone(), asker);
        self.settle(name);
    }

    fn ask_again(&mut self, name: &ResourceRef, secret: &impl Fn(&ResourceRef) -> Option<Arc<Secret>>) {
        let Some(asker) = self.askers.get(name) else { return };
        let (spec, is_named) = (asker.spec.clone(), asker.is_named);
        self.put(name, &spec, secret, is_named);
    }

    fn forget(&mut self, name: &ResourceRef) {
        if let Some(answered) = self.withdraw(name).and_then(|asker| asker.answered) {
            self.kept.let_go(name, &answered);
        }
    }

    /// It asks nothing any more.
    fn withdraw(&mut self, name: &ResourceRef) -> Option<Asker> {
        let gone = self.askers.remove(name)?;
        if let Some(secret) = gone.spec.discovery().and_then(question::secret) {
            let users = self.credentials.entry(secret.clone()).or_default();
            users.remove(name);
            if users.is_empty() {
                self.credentials.remove(secret);
            }
        }
        if let Ok(question) = &gone.question {
            self.leave(name, question);
        }
        Some(gone)
    }

    /// Something names an upstream now, or nothing does any more.
    pub(crate) fn named(&mut self, name: &ResourceRef, is_named: bool) -> Option<Edit> {
        let asker = self.askers.get_mut(name)?;
        asker.is_named = is_named;
        self.settle(name);
        self.serve(name)
    }

    /// A route picks its cluster by a header now, so that every upstream counts as named; or none does any more.
    pub(crate) fn name_all(&mut self, all: bool) -> Vec<Edit> {
        if self.all_named == all {
            return Vec::new();
        }
        self.all_named = all;
        let names: Vec<_> = self.askers.keys().cloned().collect();
        for name in &names {
            self.settle(name);
        }
        names.iter().filter_map(|name| self.serve(name)).collect()
    }

    /// These are about to be named, and no others: they count as named until then.
    pub(crate) fn expect(&mut self, names: BTreeSet<ResourceRef>) -> Vec<Edit> {
        let before = std::mem::replace(&mut self.expected, names);
        let changed: Vec<_> = before.symmetric_difference(&self.expected).cloned().collect();
        for name in &changed {
            self.settle(name);
        }
        changed.iter().filter_map(|name| self.serve(name)).collect()
    }

    /// Whether nothing is to be waited for: the source has answered, or cannot.
    pub(crate) fn is_answered(&self, name: &ResourceRef) -> bool {
        let Some(asker) = self.askers.get(name) else { return true };
        let Ok(question) = &asker.question else { return true };
        let answer = self.answers.get(question);
        answer.is_none_or(|answer| answer.served.is_some() || matches!(answer.state, State::Failed(_)))
    }

    /// Makes `wanted` and the answer's askers say what the upstream says.
    fn settle(&mut self, name: &ResourceRef) {
        let Some(asker) = self.askers.get(name) else { return };
        let Ok(question) = asker.question.clone() else { return };
        if !(asker.is_named || self.all_named || self.expected.contains(name)) {
            self.leave(name, &question);
            return;
        }
        let kept = &mut self.kept;
        let answer = self.answers.entry(question.clone()).or_insert_with(|| {
            kept.mark(&question, None);
            // Other credentials may see less: what is known is looked after like any other answer.
            let known = asker.known(&question).or_else(|| kept.left_of(&question));
            known.map_or_else(Answer::waiting, Answer::restored)
        });
        answer.askers.insert(name.clone());
        if !self.wanted.contains_key(&question) {
            self.watches += 1;
            self.wanted.insert(question, self.watches);
        }
    }

    /// The upstream asks this no more.
    fn leave(&mut self, name: &ResourceRef, question: &Question) {
        let Some(answer) = self.answers.get_mut(question) else { return };
        answer.askers.remove(name);
        if answer.askers.is_empty() {
            self.idle.insert(question.clone());
        }
    }

    /// A transaction ends: what nobody asks is forgotten. Not before, as one upstream may take over from another.
    pub(crate) fn forget_idle(&mut self, now: Timestamp) {
        for question in std::mem::take(&mut self.idle) {
            if self.answers.get(&question).is_some_and(|answer| answer.askers.is_empty()) {
                self.answers.remove(&question);
                self.wanted.remove(&question);
                self.vanished.forget(&question);
                self.kept.mark(&question, Some(now));
            }
        }
    }

    /// All objects are known: what the last run left of questions that none of them asks is of no use.
    pub(crate) fn drop_strays(&mut self, now: Timestamp) {
        if self.kept.has_strays() && self.askers.values().all(|asker| asker.question.is_ok()) {
            let asked = self.askers.values().filter_map(|asker| asker.question.as_ref().ok());
            self.kept.drop_strays(asked, now);
        }
    }

    /// The edit that gives the graph what is known, if it has not got that yet.
    fn serve(&mut self, name: &ResourceRef) -> Option<Edit> {
        let asker = self.askers.get_mut(name)?;
        let question = asker.question.as_ref().ok()?;
        let known = self.answers.get(question)?.served.clone()?;
        let is_same = asker.answered.as_ref() == Some(question);
        if let Some(before) = asker.answered.take_if(|_| !is_same) {
            self.kept.let_go(name, &before);
        }
        if !is_same || asker.served.as_ref() != Some(&known) {
            self.kept.give(name, question, &known);
        }
        (asker.answered, asker.served) = (Some(question.clone()), Some(known.clone()));
        // The graph forgets what a deleted upstream had; telling it again costs nothing.
        Some(Edit::Endpoints(name.key(Kind::Upstream), known))
    }

    /// Sources have told something. The edits: what is served changes by it.
    pub(crate) fn told(&mut self, told: Vec<Told>, now: Instant) -> Vec<Edit> {
        let mut changed = BTreeSet::new();
        for Told { question, listing } in told {
            let Some(answer) = self.answers.get_mut(&question) else { continue };
            let is_news = match listing {
                Listing::Complete(endpoints) if answer.vanishes(&endpoints) => {
                    answer.read(now);
                    self.vanished.add(&question, now);
                    false
                }
                Listing::Complete(endpoints) => {
                    self.vanished.forget(&question);
                    answer.know(endpoints, now)
                }
                Listing::Failed(error) => {
                    // What it showed last may have been the beginning of that.
                    self.vanished.doubt(&question);
                    answer.fail(&question, error, now);
                    false
                }
            };
            if is_news {
                changed.insert(question);
            }
        }
        self.serve_all(&changed)
    }

    /// Does what time has made due: services that vanished alone are gone now, those that vanished with many others are
    /// held.
    pub(crate) fn on_time(&mut self, now: Instant) -> Vec<Edit> {
        let answers = &self.answers;
        let stocked = |source: &str| {
            let of_source = answers.iter().filter(|(question, _)| *question.source == *source);
            of_source.filter(|(_, answer)| answer.has_some()).count()
        };
        let (gone, held) = self.vanished.judge(now, stocked);
        for question in held {
            self.answers.get_mut(&question).into_iter().for_each(|answer| answer.is_held = true);
        }
        self.empty(gone)
    }

    /// An operator means what a source shows: what is held is gone.
    pub(crate) fn accept(&mut self, source: &str, now: Instant) -> Vec<Edit> {
        let gone = self.vanished.accept(source, now);
        self.empty(gone)
    }

    fn empty(&mut self, gone: Vec<Question>) -> Vec<Edit> {
        let mut changed = BTreeSet::new();
        for question in gone {
            if self.answers.get_mut(&question).is_some_and(Answer::empty) {
                changed.insert(question);
            }
        }
        self.serve_all(&changed)
    }

    fn serve_all(&mut self, questions: &BTreeSet<Question>) -> Vec<Edit> {
        let askers: BTreeSet<_> = questions
            .iter()
            .filter_map(|question| self.answers.get(question))
            .flat_map(|answer| answer.askers.iter().cloned())
            .collect();
        askers.iter().filter_map(|name| self.serve(name)).collect()
    }

    /// When [`Self::on_time`] has something to do though nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.vanished.deadline()
    }

    /// The sources that first answers to Envoys wait for: those that have not answered about something of which nothing is
    /// known.
    pub(crate) fn awaited(&self) -> BTreeSet<Arc<str>> {
        self.awaiting(|_, state| *state == State::Waiting)
    }

    /// The ones among them that are required, for as long as they are away.
    pub(crate) fn required(&self) -> BTreeSet<Arc<str>> {
        let is_away = |state: &State| match state {
            State::Waiting => true,
            State::Failed(error) => error.cause == Cause::Unavailable,
            State::Restored | State::Complete => false,
        };
        self.awaiting(|source, state| source.required && is_away(state))
    }

    /// Whether a source is required.
    pub(crate) fn requires(&self, source: &str) -> bool {
        self.sources.iter().any(|known| *known.name == *source && known.required)
    }

    fn awaiting(&self, waits: impl Fn(&DiscoverySource, &State) -> bool) -> BTreeSet<Arc<str>> {
        let unknown = self.answers.iter().filter(|(_, answer)| answer.served.is_none());
        let waiting = unknown.filter(|(question, answer)| {
            let source = self.sources.iter().find(|source| source.name == question.source);
            source.is_some_and(|source| waits(source, &answer.state))
        });
        waiting.map(|(question, _)| question.source.clone()).collect()
    }

    /// What is to be watched.
    pub(crate) const fn wanted(&self) -> &WantedEndpoints {
        &self.wanted
    }

    /// Every upstream whose endpoints are looked up, with what is known of its answer.
    pub(crate) fn askers(&self) -> impl Iterator<Item = (&ResourceRef, &Asker, Option<&Answer>)> {
        self.askers.iter().map(move |(name, asker)| (name, asker, self.answer_for(name, asker)))
    }

    /// One of them; none: its endpoints are written into it.
    pub(crate) fn asker(&self, name: &ResourceRef) -> Option<(&Asker, Option<&Answer>)> {
        let asker = self.askers.get(name)?;
        Some((asker, self.answer_for(name, asker)))
    }

    /// What is known for an upstream that asks; none: nothing names it, whatever others ask.
    fn answer_for(&self, name: &ResourceRef, asker: &Asker) -> Option<&Answer> {
        let answer = self.answers.get(asker.question.as_ref().ok()?)?;
        answer.askers.contains(name).then_some(answer)
    }

    /// How many services of each source are held though the source shows none of their endpoints.
    pub(crate) fn held(&self) -> BTreeMap<Arc<str>, usize> {
        self.vanished.held()
    }

    /// How many questions of a source have endpoints that it does not show, or is not believed about.
    pub(crate) fn doubted(&self, source: &str) -> usize {
        let of_source = self.answers.iter().filter(|(question, _)| *question.source == *source);
        of_source.filter(|(_, answer)| answer.is_doubted()).count()
    }

    /// What is to be kept on disk. A copy shares everything.
    pub(crate) const fn kept(&self) -> &KeptByQuestion {
        self.kept.all()
    }

    /// A number that changes with [`Self::kept`].
    pub(crate) const fn edition(&self) -> u64 {
        self.kept.edition
    }

    /// What there is to say about upstreams whose endpoints cannot be looked up.
    pub(crate) fn reports(&self) -> Vec<Report> {
        let of = |(name, asker, answer): (&ResourceRef, &Asker, Option<&Answer>)| {
            let key = name.key(Kind::Upstream);
            match &asker.question {
                Err(why) => Some(why.report(&key)),
                Ok(question) => answer?.report(&key, question),
            }
        };
        self.askers().filter_map(of).collect()
    }
}
