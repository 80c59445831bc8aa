//! When certificates come to the last part of their lives.
//!
//! Invariant: `by_time` and `by_name` hold the same pairs.

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::key::ResourceRef;
use biplane_core::scalars::Timestamp;

/// At which share of a certificate's life it ought to have been renewed long ago, in percent.
pub(super) const ALARM: i64 = 80;

/// Alarms to come.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    by_time: BTreeSet<(Timestamp, ResourceRef)>,
    by_name: BTreeMap<ResourceRef, Timestamp>,
}

impl Alarms {
    /// Sets, moves or takes away the alarm of a secret.
    pub(super) fn set(&mut self, name: &ResourceRef, at: Option<Timestamp>) {
        if let Some(before) = self.by_name.remove(name) {
            self.by_time.remove(&(before, name.clone()));
        }
        if let Some(at) = at {
            self.by_name.insert(name.clone(), at);
            self.by_time.insert((at, name.clone()));
        }
    }

    /// Takes out those whose time has come.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<ResourceRef> {
        let mut due = Vec::new();
        while self.by_time.first().is_some_and(|(at, _)| *at <= now) {
            let (_, name) = self.by_time.pop_first().expect("it was looked at");
            self.by_name.remove(&name);
            due.push(name);
        }
        due
    }

    /// The next one.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_sounds_once_at_the_time_that_was_set_last() {
        let mut alarms = Alarms::default();
        let (a, b) = (ResourceRef::new("n", "a"), ResourceRef::new("n", "b"));
        alarms.set(&a, Some(Timestamp(10)));
        alarms.set(&a, Some(Timestamp(20)));
        alarms.set(&b, Some(Timestamp(15)));
        assert_eq!(alarms.due(Timestamp(12)), []);
        assert_eq!(alarms.due(Timestamp(20)), [b, a.clone()]);
        alarms.set(&a, Some(Timestamp(30)));
        alarms.set(&a, None);
        assert_eq!((alarms.due(Timestamp(99)), alarms.next()), (vec![], None));
    }
}
