//! What is known of machines over several polls. Pure.
//!
//! Invariant: what was there stays until it is said to leave, or is missing from two complete answers with time between
//! them. EC2 answers from copies that need not be up to date.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::machine::{Machine, Member, State, Verdict};

/// How many answers in a row something must be missing from.
const CONFIRMED: u32 = 2;

/// Everything that a poll has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) machines: BTreeMap<String, Machine>,
    pub(crate) verdicts: BTreeMap<String, Verdict>,
    pub(crate) members: BTreeMap<String, Member>,
}

/// What counts after all polls so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) region: String,
    pub(crate) machines: BTreeMap<String, Machine>,
    /// Whether a machine passes its checks. Who is not in it has none yet.
    pub(crate) passes: BTreeMap<String, bool>,
    pub(crate) members: BTreeMap<String, Member>,
}

/// What is remembered.
#[derive(Debug)]
pub(crate) struct Keep {
    machines: Steady<Machine>,
    members: Steady<Member>,
    passes: BTreeMap<String, bool>,
}

/// What a poll was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// How many machines were found that do not leave.
    pub(crate) found: usize,
    /// How many are kept though they were not found.
    pub(crate) kept: usize,
}

impl Account {
    /// Nothing at all where there was something.
    pub(crate) fn is_suspect(self) -> bool {
        self.found == 0 && self.kept > 0
    }
}

impl Keep {
    /// Remembers nothing. Answers that are nearer to each other than `apart` count as one.
    pub(crate) fn new(apart: Duration) -> Self {
        Self { machines: Steady::new(apart), members: Steady::new(apart), passes: BTreeMap::new() }
    }

    /// Takes a complete answer in.
    pub(crate) fn take(&mut self, found: Found, now: Instant) -> Account {
        let (leaving, staying): (BTreeMap<_, _>, BTreeMap<_, _>) =
            found.machines.into_iter().partition(|(_, machine)| machine.state == State::Leaving);
        for id in leaving.keys() {
            self.machines.remove(id);
        }
        let (count, kept) = (staying.len(), self.machines.take(staying, now));
        self.members.take(found.members, now);
        for (id, verdict) in found.verdicts {
            match verdict {
                Verdict::Passes => drop(self.passes.insert(id, true)),
                Verdict::Fails => drop(self.passes.insert(id, false)),
                // What was known of it still stands: when EC2 cannot tell, it cannot tell of many.
                Verdict::Unsure => {}
            }
        }
        self.passes.retain(|id, _| self.machines.known.contains_key(id));
        self.members.known.retain(|id, _| self.machines.known.contains_key(id));
        Account { found: count, kept }
    }

    /// What counts now.
    pub(crate) fn snapshot(&self, region: &str) -> Snapshot {
        Snapshot {
            region: region.to_owned(),
            machines: self.machines.values(),
            passes: self.passes.clone(),
            members: self.members.values(),
        }
    }
}

/// Things by name that do not vanish for not being mentioned once.
#[derive(Debug)]
struct Steady<T> {
    apart: Duration,
    known: BTreeMap<String, Known<T>>,
}

#[derive(Debug)]
struct Known<T> {
    value: T,
    missed: u32,
    missed_since: Option<Instant>,
}

impl<T: Clone> Steady<T> {
    fn new(apart: Duration) -> Self {
        Self { apart, known: BTreeMap::new() }
    }

    /// Says how many are kept that were not found.
    fn take(&mut self, found: BTreeMap<String, T>, now: Instant) -> usize {
        let apart = self.apart;
        self.known.retain(|name, known| found.contains_key(name) || known.miss(now, apart));
        let kept = self.known.keys().filter(|name| !found.contains_key(*name)).count();
        let new =
            found.into_iter().map(|(name, value)| (name, Known { value, missed: 0, missed_since: None }));
        self.known.extend(new);
        kept
    }

    fn remove(&mut self, name: &str) {
        self.known.remove(name);
    }

    fn values(&self) -> BTreeMap<String, T> {
        self.known.iter().map(|(name, known)| (name.clone(), known.value.clone())).collect()
    }
}

impl<T> Known<T> {
    /// Whether it is kept all the same.
    fn miss(&mut self, now: Instant, apart: Duration) -> bool {
        let since = *self.missed_since.get_or_insert(now);
        self.missed += 1;
        self.missed < CONFIRMED || now.saturating_duration_since(since) < apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Duration = Duration::from_secs(30);

    fn found(machines: &[(&str, State)]) -> Found {
        let machines = machines
            .iter()
            .map(|(id, state)| ((*id).to_owned(), Machine { state: *state, ..Machine::default() }));
        Found { machines: machines.collect(), ..Found::default() }
    }

    fn ids(keep: &Keep) -> Vec<String> {
        keep.snapshot("eu-west-1").machines.into_keys().collect()
    }

    #[test]
    fn a_machine_that_stops_leaves_at_once() {
        let (mut keep, now) = (Keep::new(APART), Instant::now());
        keep.take(found(&[("a", State::Running), ("b", State::Running)]), now);
        let account = keep.take(found(&[("a", State::Running), ("b", State::Leaving)]), now);
        assert_eq!((ids(&keep), account.kept), (vec!["a".to_owned()], 0));
    }

    #[test]
    fn a_machine_that_is_not_mentioned_leaves_when_that_is_confirmed() {
        let (mut keep, start) = (Keep::new(APART), Instant::now());
        keep.take(found(&[("a", State::Running), ("b", State::Running)]), start);
        let account = keep.take(found(&[("a", State::Running)]), start);
        assert_eq!((ids(&keep).len(), account.kept), (2, 1));
        keep.take(found(&[("a", State::Running)]), start + APART / 2);
        assert_eq!(ids(&keep).len(), 2, "two looks at nearly the same moment are one");
        keep.take(found(&[("a", State::Running)]), start + APART);
        assert_eq!(ids(&keep), ["a"]);
    }

    #[test]
    fn a_machine_that_is_mentioned_again_was_never_away() {
        let (mut keep, start) = (Keep::new(APART), Instant::now());
        for (step, mentioned) in (0..).zip([true, false, true, false, true]) {
            let machines: &[_] = if mentioned { &[("a", State::Running)] } else { &[] };
            keep.take(found(machines), start + APART * step);
            assert_eq!(ids(&keep), ["a"]);
        }
    }

    #[test]
    fn nothing_where_there_was_something_is_suspect_until_it_is_confirmed() {
        let (mut keep, start) = (Keep::new(APART), Instant::now());
        assert!(!keep.take(found(&[]), start).is_suspect(), "there was nothing before");
        keep.take(found(&[("a", State::Running)]), start);
        assert!(keep.take(found(&[]), start).is_suspect());
        assert!(!keep.take(found(&[]), start + APART).is_suspect());
        assert!(ids(&keep).is_empty());
    }

    #[test]
    fn machines_that_all_stop_are_no_suspicion() {
        let (mut keep, now) = (Keep::new(APART), Instant::now());
        keep.take(found(&[("a", State::Running)]), now);
        assert!(!keep.take(found(&[("a", State::Leaving)]), now).is_suspect());
    }

    #[test]
    fn checks_that_cannot_tell_change_nothing() {
        let (mut keep, now) = (Keep::new(APART), Instant::now());
        let mut take = |verdict| {
            let mut found = found(&[("a", State::Running)]);
            found.verdicts.insert("a".to_owned(), verdict);
            keep.take(found, now);
            keep.snapshot("").passes.get("a").copied()
        };
        assert_eq!(take(Verdict::Unsure), None);
        assert_eq!(take(Verdict::Passes), Some(true));
        assert_eq!(take(Verdict::Unsure), Some(true));
        assert_eq!(take(Verdict::Fails), Some(false));
    }
}
