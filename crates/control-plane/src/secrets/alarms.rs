//! When certificates come to the last part of their lives. That is said once for a certificate, however often
//! its source comes and goes meanwhile.

use std::collections::BTreeMap;

use biplane_core::key::ResourceRef;
use biplane_core::scalars::Timestamp;

use super::agenda::Agenda;

/// At which share of a certificate's life it ought to have been renewed long ago, in percent.
pub(super) const ALARM: i64 = 80;

/// Alarms to come.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    agenda: Agenda,
    /// Those that were said last, by which certificates are told apart: one that follows another ends later.
    said: BTreeMap<ResourceRef, Timestamp>,
}

impl Alarms {
    /// Sets, moves or takes away the alarm of a secret.
    pub(super) fn set(&mut self, name: &ResourceRef, at: Option<Timestamp>) {
        let said = self.said.get(name);
        self.agenda.set(name, at.filter(|at| said != Some(at)));
    }

    /// There is no such secret any more.
    pub(super) fn forget(&mut self, name: &ResourceRef) {
        self.agenda.set(name, None);
        self.said.remove(name);
    }

    /// Takes out those whose time has come.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<ResourceRef> {
        let due = self.agenda.due(now);
        self.said.extend(due.iter().cloned());
        due.into_iter().map(|(name, _)| name).collect()
    }

    /// The next one.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.agenda.next()
    }
}
