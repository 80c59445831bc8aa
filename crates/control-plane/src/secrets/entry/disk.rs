//! What a run leaves of a secret for the next one, and what that makes of it.
//!
//! Invariant: what was served is served again if the object asks for the same; else it belongs to something that is no
//! more.

use biplane_core::key::ResourceRef;
use biplane_core::resources::secret::External;
use biplane_core::resources::{Object, Spec};
use tokio::time::Instant;

use super::check::sound;
use super::{Entry, read_facts};
use crate::secrets::compose::compose;
use crate::secrets::kept::{Answer, Held, KeptSecret};
use crate::secrets::place::{asked, asked_before};
use crate::secrets::rotation::Rotation;

/// What an object asks for that holds its values itself.
pub(in crate::secrets) const OWN: &str = "own";
/// What is asked for where there is no object.
const IMPLIED: &str = "implied";

impl Entry {
    /// What goes on disk.
    pub(in crate::secrets) fn keep(&self, name: &ResourceRef) -> Option<KeptSecret> {
        let answered = self.place().zip(self.raw.as_ref());
        let answer = answered.map(|(place, raw)| Answer { question: place.question(), secret: raw.clone() });
        let held = self.served.as_ref().filter(|_| self.is_held()).map(|served| Held {
            asked: self.asked(),
            served: served.clone(),
            stage: self.rotation.as_ref().map(Rotation::stage),
        });
        (answer.is_some() || held.is_some()).then(|| KeptSecret { name: name.clone(), answer, held })
    }

    /// Whether what is served may be something else than what the object or its source says.
    fn is_held(&self) -> bool {
        self.rotation.is_some() || self.unfit.is_some() || self.known.is_none()
    }

    fn asked(&self) -> String {
        self.asked_in(asked)
    }

    /// Whether a text on disk is what is asked now.
    fn is_asked_by(&self, text: &str) -> bool {
        text == self.asked() || text == self.asked_in(asked_before)
    }

    fn asked_in(&self, spelling: fn(External<'_>) -> String) -> String {
        match self.object.as_ref().map(|(Object { spec, .. }, _)| spec) {
            Some(Spec::Secret(spec)) if !self.implied => {
                spec.external().map_or_else(|| OWN.to_owned(), spelling)
            }
            _ => IMPLIED.to_owned(),
        }
    }

    /// Takes over what the last run left for the same question, and leaves the rest. Says whether anything was.
    pub(in crate::secrets) fn restore(&mut self, left: &mut KeptSecret, now: Instant) -> bool {
        let held =
            left.held.take_if(|held| self.is_asked_by(&held.asked) && self.resume(held, now)).is_some();
        let name = left.name.clone();
        let answer = left.answer.take_if(|answer| self.recall(&name, answer, now)).is_some();
        held || answer
    }

    /// Serves what was served, if nothing is yet. Says whether it does.
    pub(in crate::secrets) fn resume(&mut self, held: &Held, now: Instant) -> bool {
        if self.served.is_some() {
            return false;
        }
        let rotation = held.stage.zip(held.served.tls.as_ref());
        self.rotation = rotation.map(|(stage, tls)| Rotation::resumed(stage, tls, now));
        self.facts = read_facts(&held.served);
        self.served = Some(held.served.clone());
        true
    }

    /// Knows again what the source gave. Says whether that was for the same question and is of use.
    fn recall(&mut self, name: &ResourceRef, answer: &Answer, now: Instant) -> bool {
        let Some(place) = self.place().filter(|place| place.is_asked_by(&answer.question)) else {
            return false;
        };
        let composed = compose(name, place, &answer.secret).and_then(|new| sound(&new).map(|()| new.into()));
        if composed.is_err() && self.served.is_none() {
            return false;
        }
        self.raw = Some(answer.secret.clone());
        self.take(composed.map_err(Into::into), now);
        true
    }
}
