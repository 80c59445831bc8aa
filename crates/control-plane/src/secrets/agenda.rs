//! Secrets by the times at which something is to be done about them.
//!
//! Invariant: `by_time` and `by_name` hold the same pairs.

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::key::ResourceRef;
use biplane_core::scalars::Timestamp;

/// At most one time for each secret.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    by_time: BTreeSet<(Timestamp, ResourceRef)>,
    by_name: BTreeMap<ResourceRef, Timestamp>,
}

impl Agenda {
    /// Sets, moves or takes away the time of a secret.
    pub(super) fn set(&mut self, name: &ResourceRef, at: Option<Timestamp>) {
        if let Some(before) = self.by_name.remove(name) {
            self.by_time.remove(&(before, name.clone()));
        }
        if let Some(at) = at {
            self.by_name.insert(name.clone(), at);
            self.by_time.insert((at, name.clone()));
        }
    }

    /// Takes out those whose time has come, each with its time.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<(ResourceRef, Timestamp)> {
        let mut due = Vec::new();
        while self.by_time.first().is_some_and(|(at, _)| *at <= now) {
            let (at, name) = self.by_time.pop_first().expect("it was looked at");
            self.by_name.remove(&name);
            due.push((name, at));
        }
        due
    }

    /// The next time.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_due_once_at_the_time_that_was_set_last() {
        let mut agenda = Agenda::default();
        let (a, b) = (ResourceRef::new("n", "a"), ResourceRef::new("n", "b"));
        agenda.set(&a, Some(Timestamp(10)));
        agenda.set(&a, Some(Timestamp(20)));
        agenda.set(&b, Some(Timestamp(15)));
        assert_eq!(agenda.due(Timestamp(12)), []);
        assert_eq!(agenda.due(Timestamp(20)), [(b, Timestamp(15)), (a.clone(), Timestamp(20))]);
        agenda.set(&a, Some(Timestamp(30)));
        agenda.set(&a, None);
        assert_eq!((agenda.due(Timestamp(99)), agenda.next()), (vec![], None));
    }
}
