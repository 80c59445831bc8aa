//! What becomes of secrets in the course of time: certificates follow their roots, old roots go, lives begin and end.
//!
//! Invariant: whatever waits for a moment is among [`Secrets::deadline`] and [`Secrets::next_alarm`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use biplane_core::key::ResourceRef;
use biplane_core::scalars::Timestamp;
use biplane_translator::names;
use tokio::time::Instant;
use tracing::{info, warn};

use super::certificate::Issuer;
use super::rotation::Rotation;
use super::{Entry, Secrets};
use crate::graph::Edit;
use crate::status::timestamp;

impl Secrets {
    /// Does what time or Envoys' confirmations have made due. `confirmed` says whether all clients that
    /// hold these Envoy secrets hold them as they are published.
    pub(crate) fn on_time(
        &mut self,
        now: Instant,
        wall: SystemTime,
        confirmed: impl Fn(&[Arc<str>]) -> bool,
    ) -> Vec<Edit> {
        let mut changed = self.ripen(now, wall);
        if !self.rotating.is_empty() {
            // Who is not back yet has confirmed nothing.
            let gathered = self.gathering.is_none_or(|until| until <= now);
            changed.extend(self.rotate(now, |names| gathered && confirmed(names)));
        }
        changed.iter().map(|name| self.edit(name)).collect()
    }

    /// Takes certificates whose life has begun.
    fn ripen(&mut self, now: Instant, wall: SystemTime) -> Vec<ResourceRef> {
        let mut changed = Vec::new();
        for (name, _) in self.early.due(timestamp(wall)) {
            if self.entries.get_mut(&name).is_some_and(|entry| entry.ripen(now, wall)) {
                info!(secret = %name, "a certificate has become valid and is taken");
                changed.push(name.clone());
            }
            self.settle(&name);
        }
        changed
    }

    /// Takes rotations one step further. The secrets that change by it.
    fn rotate(&mut self, now: Instant, confirmed: impl Fn(&[Arc<str>]) -> bool) -> Vec<ResourceRef> {
        let spreading = self.spreading();
        let roots: Vec<Arc<str>> =
            spreading.iter().map(|name| names::secret_validation(name).into()).collect();
        let is_settled = |name: &ResourceRef| {
            let rotation = self.entries.get(name).and_then(|entry| entry.rotation.as_ref());
            rotation.is_some_and(|rotation| rotation.is_settled(now))
        };
        let known = spreading.iter().any(is_settled) && confirmed(&roots);
        let mut changed = Vec::new();
        for name in spreading {
            let rotation = self.entries.get_mut(&name).and_then(|entry| entry.rotation.as_mut());
            if rotation.is_some_and(|rotation| rotation.follow(known, now)) {
                info!(secret = %name, confirmed = known, "the new certificate follows its roots");
                changed.push(name);
            }
        }
        changed.extend(self.end_rotations(now, confirmed));
        for name in &changed {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.serve();
            }
        }
        changed
    }

    fn end_rotations(&mut self, now: Instant, confirmed: impl Fn(&[Arc<str>]) -> bool) -> Vec<ResourceRef> {
        let due = |name: &&ResourceRef| {
            let rotation = self.entries.get(*name).and_then(|entry| entry.rotation.as_ref());
            rotation.is_none_or(|rotation| !rotation.is_spreading() && rotation.deadline(now) <= now)
        };
        let due: Vec<_> = self.rotating.iter().filter(due).cloned().collect();
        if due.is_empty() {
            return Vec::new();
        }
        let (issuers, mut over) = (self.issuers(), Vec::new());
        for name in due {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            let confirmed = confirmed(&[names::secret_certificate(&name).into()]);
            if entry.end_rotation(&issuers, confirmed, now) {
                info!(secret = %name, "the old roots are gone");
                over.push(name);
            }
        }
        self.rotating.retain(|name| self.entries.get(name).is_some_and(|entry| entry.rotation.is_some()));
        over
    }

    /// Who issued what is served.
    fn issuers(&self) -> BTreeSet<Issuer> {
        let served = self.entries.values().filter(|entry| entry.is_named).filter_map(Entry::served);
        served
            .filter_map(|secret| secret.tls.as_ref()?.cert_chain.as_deref())
            .flat_map(Issuer::all_of)
            .collect()
    }

    fn spreading(&self) -> Vec<ResourceRef> {
        let is_spreading = |name: &&ResourceRef| {
            let rotation = self.entries.get(*name).and_then(|entry| entry.rotation.as_ref());
            rotation.is_some_and(Rotation::is_spreading)
        };
        self.rotating.iter().filter(is_spreading).cloned().collect()
    }

    /// Whether a certificate waits until its roots are confirmed.
    pub(crate) fn is_spreading(&self) -> bool {
        !self.rotating.is_empty() && !self.spreading().is_empty()
    }

    /// When [`Self::on_time`] has something to do though nothing happens.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let rotation = |name: &ResourceRef| Some(self.entries.get(name)?.rotation.as_ref()?.deadline(now));
        let gathered = self.gathering.filter(|until| *until > now && self.is_spreading());
        self.rotating.iter().filter_map(rotation).chain(gathered).min()
    }

    /// Says once in the log that certificates have come to the last part of their lives and were not renewed.
    pub(crate) fn sound_alarms(&mut self, wall: Timestamp) {
        for name in self.alarms.due(wall) {
            if let Some(facts) = self.entries.get(&name).and_then(Entry::facts) {
                warn!(secret = %name, until = %facts.not_after, "a certificate in use has little of its life left");
            }
        }
    }

    /// When the clock on the wall makes something due next: [`Self::sound_alarms`], or [`Self::on_time`].
    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.next().into_iter().chain(self.early.next()).min()
    }
}
