//! One secret: where its values are kept, what is known of them, and what is served.
//!
//! Invariant: `served` holds the last values that worked, and changes only for better ones.

mod check;
mod disk;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_core::key::ResourceRef;
use biplane_core::resources::secret::OnDelete;
use biplane_core::resources::{Object, Secret, Spec};
use biplane_core::scalars::Timestamp;
use biplane_source::{self as source, SourceError};
use tokio::time::Instant;

use super::alarms::ALARM;
use super::certificate::{Facts, Issuer};
use super::compose::compose;
use super::place::{Misplaced, Place};
use super::rotation::Rotation;
use check::{Early, Refused};
pub(super) use disk::OWN;

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
    object: Option<(Object, Option<u64>)>,
    /// Where the object says that its values are; none: it holds them itself.
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
    /// Why what the source gives, or the object holds, is not used.
    unfit: Option<Refused>,
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
            let composed = composed.map_err(Refused::from).and_then(|new| self.check(Arc::new(new), wall));
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

    /// Why what the source gives, or the object holds, is not used.
    pub(crate) fn unfit(&self) -> Option<String> {
        self.unfit.as_ref().map(Refused::words)
    }

    /// When values can be used that are known already.
    pub(super) fn early(&self) -> Option<Timestamp> {
        self.unfit.as_ref()?.early.as_ref().map(|early| early.from)
    }

    /// When the certificate in use comes to the last part of its life.
    pub(super) fn alarm_at(&self) -> Option<Timestamp> {
        let facts = self.facts().filter(|_| self.is_named);
        facts.map(|facts| facts.at_percent(ALARM))
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
        let composed = compose(name, place, &secret).map_err(Refused::from);
        let checked = composed.and_then(|new| self.check_successor(Arc::new(new), wall));
        let taken = self.take(checked, now);
        self.note(Arc::new(secret));
        taken
    }

    /// Notes what the values that were looked at last came from: it is known once they are taken.
    fn note(&mut self, secret: Arc<source::Secret>) {
        match &mut self.unfit {
            None => self.raw = Some(secret),
            Some(Refused { early: Some(early), .. }) => early.raw = Some(secret),
            Some(_) => {}
        }
    }

    /// Takes values whose time has come. Says whether what is served changes.
    pub(super) fn ripen(&mut self, now: Instant, wall: SystemTime) -> bool {
        let Some(Early { new, raw, .. }) = self.unfit.as_mut().and_then(|unfit| unfit.early.take()) else {
            return false;
        };
        let checked = self.check_successor(new, wall);
        let taken = self.take(checked, now);
        if let Some(raw) = raw {
            self.note(raw);
        }
        self.said = self.fault();
        taken
    }

    fn take(&mut self, new: Result<Arc<Secret>, Refused>, now: Instant) -> bool {
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
        self.facts = read_facts(&new);
        self.known = Some(new);
        self.serve()
    }

    /// The source has no such secret. Says whether what is served changes.
    pub(super) fn miss(&mut self, now: Instant) -> bool {
        self.stale_since.get_or_insert(now);
        let first = std::mem::replace(&mut self.state, State::Absent) != State::Absent;
        let keeps = self.place().is_some_and(|place| place.on_delete == OnDelete::Keep);
        if keeps && self.served.is_some() {
            // What waits for its time there is gone too.
            if let Some(unfit) = &mut self.unfit {
                unfit.early = None;
            }
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

    /// When the certificate ends, and other times that people ask for.
    pub(crate) fn obtained(&self) -> Option<Timestamp> {
        self.raw.as_ref().map(|raw| crate::status::timestamp(raw.obtained))
    }
}

fn read_facts(secret: &Secret) -> Option<Facts> {
    Facts::of(secret.tls.as_ref()?.cert_chain.as_deref()?)
}
