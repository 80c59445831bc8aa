//! One secret: where its values are kept, what is known of them, and what is served.
//!
//! Invariant: `served` holds the last values that worked, and changes only for better ones.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::secret::{OnDelete, TlsSecret};
use biplane_core::resources::{Object, Secret, Spec};
use biplane_core::scalars::{SecretString, Timestamp};
use biplane_source::{self as source, SourceError};
use tokio::time::Instant;
use tracing::{info, warn};

use super::certificate::{Facts, Issuer, check_time, faults};
use super::compose::compose;
use super::kept::KeptSecret;
use super::place::{Misplaced, Place};
use super::rotation::Rotation;

/// What the last answer about a secret was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// There was none, or nobody asked.
    #[default]
    Waiting,
    /// It is there.
    Known,
    /// It is not there.
    Absent,
    /// It could not be told.
    Failed(SourceError),
}

/// One secret.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// The object that refers to its values; none: it holds them itself.
    object: Option<(Object, Option<u64>)>,
    place: Option<Result<Place, Misplaced>>,
    /// Whether there is no object, but a source that may hold one of this name.
    implied: bool,
    /// Whether something names it.
    pub(crate) is_named: bool,
    pub(crate) state: State,
    /// What the source gave last, if it was of use.
    raw: Option<Arc<source::Secret>>,
    /// The same as a secret of its form.
    known: Option<Arc<Secret>>,
    served: Option<Arc<Secret>>,
    facts: Option<Facts>,
    pub(super) rotation: Option<Rotation>,
    /// Why what the source gives is not used.
    unfit: Option<String>,
    /// Since when its source does not say what is known of it.
    stale_since: Option<Instant>,
    /// What was said last, so that nothing is said twice.
    said: Option<String>,
}

impl Entry {
    /// A secret that no object describes.
    pub(super) fn implied(object: Object, place: Place) -> Self {
        let (object, place) = (Some((object, None)), Some(Ok(place)));
        Self { object, place, implied: true, is_named: true, ..Self::default() }
    }

    /// Whether no object describes it.
    pub(crate) const fn is_implied(&self) -> bool {
        self.implied
    }

    /// The object holds its values itself.
    pub(super) fn hold_own(&mut self, object: Object, created: Option<u64>, now: Instant, wall: SystemTime) {
        let Spec::Secret(spec) = &object.spec else { return };
        let secret = self.check(spec.clone(), wall);
        self.object = Some((object, created));
        (self.state, self.place, self.raw, self.implied) = (State::Known, None, None, false);
        self.take(secret, now);
    }

    /// The object says that its values are kept elsewhere. While the place stays the same, so does what is known of it; and
    /// what is served stays in any case until the new place has answered.
    pub(super) fn refer(
        &mut self,
        object: Object,
        created: Option<u64>,
        place: Result<Place, Misplaced>,
        (now, wall): (Instant, SystemTime),
    ) {
        let before = self.place.replace(place);
        let question = |place: &Option<Result<Place, Misplaced>>| match place {
            Some(Ok(place)) => Some(place.question()),
            _ => None,
        };
        let (was_implied, name) = (std::mem::take(&mut self.implied), object.key.reference());
        self.object = Some((object, created));
        if question(&before) != question(&self.place) || was_implied {
            (self.state, self.raw, self.known, self.unfit) = (State::Waiting, None, None, None);
            return;
        }
        let place = self.place.as_ref().and_then(|place| place.as_ref().ok());
        if before.as_ref().and_then(|place| place.as_ref().ok()) == place {
            return;
        }
        // The same values in another form, or under other names.
        if let Some(composed) = place.zip(self.raw.as_ref()).map(|(place, raw)| compose(&name, place, raw)) {
            let composed = composed.and_then(|new| self.check(Arc::new(new), wall));
            self.take(composed, now);
        }
    }

    /// Where the values are kept.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()?.as_ref().ok()
    }

    /// What the source gave last.
    pub(crate) const fn raw(&self) -> Option<&Arc<source::Secret>> {
        self.raw.as_ref()
    }

    /// What is served.
    pub(crate) fn served(&self) -> Option<&Secret> {
        self.served.as_deref()
    }

    /// What the certificate that is known says of itself.
    pub(crate) const fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }

    /// Whether old roots are served beside new ones.
    pub(crate) const fn is_rotating(&self) -> bool {
        self.rotation.is_some()
    }

    /// Why what the source gives is not used.
    pub(crate) fn unfit(&self) -> Option<&str> {
        self.unfit.as_deref()
    }

    /// The object as the graph is to hold it: with values, or without any while none are known. None: there is
    /// known to be no such secret.
    pub(super) fn object(&self) -> Option<(Object, Option<u64>)> {
        let (object, created) = self.object.clone()?;
        let Spec::Secret(spec) = &object.spec else { return None };
        let Some(served) = &self.served else {
            return (self.state != State::Absent).then_some((object, created));
        };
        let spec = Secret { vault: spec.vault.clone(), file: spec.file.clone(), ..(**served).clone() };
        Some((Object { spec: Spec::Secret(Arc::new(spec)), ..object }, created))
    }

    /// Takes over what the last run got, if it was for the same question and still works. Says whether it did.
    pub(super) fn restore(&mut self, name: &ResourceRef, left: &KeptSecret, now: Instant) -> bool {
        let Some(place) = self.place().filter(|place| place.question() == left.question) else {
            return false;
        };
        let Ok(secret) = compose(name, place, &left.secret) else { return false };
        if secret.tls.as_ref().is_some_and(|tls| !faults(tls).is_empty()) {
            return false;
        }
        self.raw = Some(left.secret.clone());
        self.known = Some(Arc::new(secret));
        self.rotation = (!left.old_roots.is_empty()).then(|| Rotation::resumed(left.old_roots.clone(), now));
        self.serve();
        self.read_facts();
        true
    }

    /// What goes on disk.
    pub(super) fn keep(&self, name: &ResourceRef) -> Option<KeptSecret> {
        let rotation = self.rotation.as_ref();
        Some(KeptSecret {
            name: name.clone(),
            question: self.place()?.question(),
            secret: self.raw.clone()?,
            old_roots: rotation.map(|rotation| rotation.old_roots().to_owned()).unwrap_or_default(),
        })
    }

    /// The source has it. Says whether what is served changes.
    pub(super) fn know(
        &mut self,
        name: &ResourceRef,
        secret: source::Secret,
        now: Instant,
        wall: SystemTime,
    ) -> bool {
        self.state = State::Known;
        self.stale_since = None;
        if self.unfit.is_none() && self.raw.as_ref().is_some_and(|raw| raw.same_values(&secret)) {
            self.raw = Some(Arc::new(secret));
            return false;
        }
        let Some(place) = self.place() else { return false };
        let composed =
            compose(name, place, &secret).and_then(|new| self.check_successor(Arc::new(new), wall));
        let taken = self.take(composed, now);
        if self.unfit.is_none() {
            self.raw = Some(Arc::new(secret));
        }
        taken
    }

    /// Whether new values may replace those of the same place. Nobody has edited an object, so what is secured stays so.
    fn check_successor(&self, new: Arc<Secret>, wall: SystemTime) -> Result<Arc<Secret>, String> {
        let has_roots = |tls: &TlsSecret| tls.root_ca.is_some();
        let served =
            self.served.as_ref().filter(|_| self.raw.is_some()).and_then(|served| served.tls.as_ref());
        if served.is_some_and(has_roots) && new.tls.as_ref().is_some_and(|new| !has_roots(new)) {
            return Err(
                "it has no rootCa any more, and without one nobody is verified: put it back, or let the object \
                        name another path if that is meant"
                    .to_owned(),
            );
        }
        self.check(new, wall)
    }

    /// Whether new values may replace those that are served.
    fn check(&self, new: Arc<Secret>, wall: SystemTime) -> Result<Arc<Secret>, String> {
        if let Some((header, _)) =
            new.header.iter().flat_map(|header| &header.headers).find(|(_, value)| !is_line(value))
        {
            return Err(format!("the value of {header} is not one line of text"));
        }
        let Some(tls) = &new.tls else { return Ok(new) };
        let mut faults = faults(tls);
        if self.served.is_some() {
            faults.extend(check_time(tls, wall).err());
        }
        match faults.first() {
            None => Ok(new),
            Some((field, why)) => Err(format!("{field}: {why}")),
        }
    }

    fn take(&mut self, new: Result<Arc<Secret>, String>, now: Instant) -> bool {
        let new = match new {
            Ok(new) => new,
            Err(why) => {
                self.unfit = Some(why);
                return false;
            }
        };
        self.unfit = None;
        let served = self.served.as_ref().and_then(|served| served.tls.as_ref());
        if let Some((served, new)) = served.zip(new.tls.as_ref()) {
            // What is served has the roots of a rotation under way beside its own.
            self.rotation = Rotation::between(served, new, self.rotation.as_ref(), now);
        }
        self.known = Some(new);
        self.read_facts();
        self.serve()
    }

    /// The source has no such secret. Says whether what is served changes.
    pub(super) fn miss(&mut self, now: Instant) -> bool {
        self.stale_since.get_or_insert(now);
        let first = std::mem::replace(&mut self.state, State::Absent) != State::Absent;
        let keeps = self.place().is_some_and(|place| place.on_delete == OnDelete::Keep);
        if keeps && self.served.is_some() {
            return false;
        }
        (self.raw, self.known, self.rotation, self.facts, self.unfit) = (None, None, None, None, None);
        self.served.take().is_some() || first
    }

    /// The source could not tell.
    pub(super) fn fail(&mut self, error: SourceError, now: Instant) {
        self.state = State::Failed(error);
        self.stale_since.get_or_insert(now);
    }

    /// For how long its source has not said that it is what is served.
    pub(crate) fn age(&self, now: Instant, wall: SystemTime) -> Option<Duration> {
        let restored = || wall.duration_since(self.raw.as_ref()?.obtained).ok();
        match (&self.state, self.stale_since) {
            (State::Known, _) => Some(Duration::ZERO),
            (State::Failed(_) | State::Absent, Some(since)) => Some(now.saturating_duration_since(since)),
            _ => restored(),
        }
    }

    /// Makes what is served follow from what is known. Says whether it changes.
    pub(super) fn serve(&mut self) -> bool {
        let Some(known) = &self.known else { return false };
        let serve = match (&self.rotation, &known.tls) {
            (Some(rotation), Some(tls)) => {
                Arc::new(Secret { tls: Some(rotation.serve(tls)), ..(**known).clone() })
            }
            _ => known.clone(),
        };
        let changes = self.served.as_ref() != Some(&serve);
        self.served = Some(serve);
        changes
    }

    /// Ends the rotation if its time is up. Says whether it did.
    pub(super) fn end_rotation(&mut self, issuers: &BTreeSet<Issuer>, confirmed: bool, now: Instant) -> bool {
        let known = self.known.as_ref().and_then(|known| known.tls.as_ref());
        let rotation = self.rotation.as_mut().zip(known);
        let over = rotation.is_none_or(|(rotation, tls)| rotation.is_over(tls, issuers, confirmed, now));
        if over {
            self.rotation = None;
        }
        over
    }

    fn read_facts(&mut self) {
        let tls = self.known.as_ref().and_then(|known| known.tls.as_ref());
        self.facts = tls.and_then(|tls| Facts::of(tls.cert_chain.as_deref()?));
    }

    /// Says once in the log what is new about it.
    pub(super) fn say(&mut self, name: &ResourceRef) {
        let kept = if self.served.is_some() { "; what was known before stays in use" } else { "" };
        let place = self.place().map(ToString::to_string).unwrap_or_default();
        let fault = match (&self.state, &self.unfit) {
            (State::Failed(error), _) => Some(error.to_string()),
            (State::Absent, _) => Some("it is not there".to_owned()),
            (_, Some(unfit)) => Some(format!("what is there cannot be used: {unfit}")),
            _ => None,
        };
        if fault == self.said {
            return;
        }
        if let Some(fault) = &fault {
            warn!(secret = %name, place, "{fault}{kept}");
        } else {
            info!(secret = %name, place, "secret read again");
        }
        self.said = fault;
    }

    /// What there is to say about the object.
    pub(super) fn reports(&self, name: &ResourceRef, wall: SystemTime) -> Vec<Report> {
        let key = name.key(Kind::Secret);
        let mut reports = match &self.place {
            None => self.own_fault(&key).into_iter().collect(),
            Some(Err(misplaced)) => vec![misplaced.report(&key)],
            Some(Ok(place)) if self.is_named => self.faults(&key, place),
            Some(Ok(_)) => Vec::new(),
        };
        reports.extend(self.alarm(&key, wall));
        reports
    }

    /// The values in the object were good when they came, and are not now that others would be replaced by them.
    fn own_fault(&self, key: &ObjectKey) -> Option<Report> {
        let unfit = self.unfit.as_ref()?;
        let message = format!("{unfit}; what was there before stays in use");
        Some(Report::error(key, FieldPath::root().field("tls"), message))
    }

    /// What is wrong with the values elsewhere.
    fn faults(&self, key: &ObjectKey, place: &Place) -> Vec<Report> {
        let path =
            || if self.implied { FieldPath::root() } else { FieldPath::root().field(self.reference()) };
        let (what, served) = (place.what(), self.served.is_some());
        let kept = if served { "; what was known before stays in use" } else { "" };
        let mut reports = Vec::new();
        match &self.state {
            State::Failed(error) => {
                let message = format!("{what} cannot be read: {error}{kept}");
                let report = if served { Report::warning } else { Report::error };
                let report = report(key, path(), message);
                reports.push(error.hint.iter().fold(report, |report, hint| report.hint(hint.clone())));
            }
            State::Absent if !self.implied => {
                let hint = "write it there, or set `onDelete: remove` to take it from Envoys too";
                reports.push(Report::error(key, path(), format!("{what} is not there{kept}")).hint(hint));
            }
            _ => {}
        }
        if let Some(unfit) = &self.unfit {
            reports.push(Report::error(key, path(), format!("{what} cannot be used: {unfit}{kept}")));
        }
        reports
    }

    /// A certificate in use that has little of its life left, or none.
    fn alarm(&self, key: &ObjectKey, wall: SystemTime) -> Option<Report> {
        let facts = self.facts.as_ref().filter(|_| self.is_named && self.served.is_some())?;
        let now = crate::status::timestamp(wall);
        if facts.life_used(now) < super::alarms::ALARM {
            return None;
        }
        let path = if self.place.is_some() {
            FieldPath::root()
        } else {
            FieldPath::root().field("tls").field("certChain")
        };
        if facts.not_after <= now {
            let message = format!("the certificate in use has expired at {}", facts.not_after);
            return Some(Report::error(key, path, message).hint("renew it where it is kept"));
        }
        let message = format!(
            "the certificate in use has less than a fifth of its life left, until {}",
            facts.not_after
        );
        Some(
            Report::warning(key, path, message)
                .hint("renew it where it is kept, or see why that does not happen"),
        )
    }

    /// The field of the object that says where its values are.
    fn reference(&self) -> &'static str {
        match self.object.as_ref().map(|(object, _)| &object.spec) {
            Some(Spec::Secret(secret)) if secret.file.is_some() => "file",
            _ => "vault",
        }
    }

    /// When the certificate ends, and other times that people ask for.
    pub(crate) fn obtained(&self) -> Option<Timestamp> {
        self.raw.as_ref().map(|raw| crate::status::timestamp(raw.obtained))
    }
}

/// Whether a header can carry it. A line break behind it is not part of it: files end with one.
fn is_line(value: &SecretString) -> bool {
    let value = value.expose().trim_end_matches(['\r', '\n']);
    !value.is_empty() && !value.contains(|c: char| c.is_control() && c != '\t')
}
