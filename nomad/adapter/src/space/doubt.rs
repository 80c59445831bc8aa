//! Whether servers are believed. Pure: time is told.
//!
//! The index of a table never goes back, and the keys that servers sign with are never all replaced at once. If either
//! happens, somebody has restored an older state, or has put empty servers in the place of those that were: what they
//! say is not believed before they have said the same for some time.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// How often the same must be heard.
const HEARINGS: u32 = 3;

/// What is believed of one place.
#[derive(Debug)]
pub(crate) struct Doubt {
    /// The highest index so far.
    high: u64,
    keys: BTreeSet<String>,
    suspicion: Option<Suspicion>,
    confirm: Duration,
}

#[derive(Clone, Debug)]
struct Suspicion {
    reason: Reason,
    since: Instant,
    hearings: u32,
    index: u64,
    keys: BTreeSet<String>,
}

/// Why servers are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// They know less than they did.
    WentBack {
        /// The index that was known.
        from: u64,
        /// The index that they say.
        to: u64,
    },
    /// They are others.
    Others,
}

/// What becomes of what they have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belief {
    /// It counts.
    Believed,
    /// It counts from now on; what is missing from it may be missing because of this.
    Confirmed(Reason),
    /// It does not count. Ask again after this.
    Doubted(Reason, Duration),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WentBack { from, to } => {
                write!(
                    f,
                    "its servers have gone back from index {from} to {to}, as if restored from a backup"
                )
            }
            Self::Others => {
                f.write_str("its servers sign with other keys than before, as if they were new and empty")
            }
        }
    }
}

impl Doubt {
    pub(crate) fn new(confirm: Duration) -> Self {
        Self { high: 0, keys: BTreeSet::new(), suspicion: None, confirm }
    }

    /// The highest index that is believed.
    pub(crate) fn high(&self) -> u64 {
        self.high
    }

    /// Whether an index is lower than it can be.
    pub(crate) fn is_behind(&self, index: u64) -> bool {
        index < self.high
    }

    /// Whether other servers can be told from those that have gone back: not before they have told their keys once.
    pub(crate) fn knows_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Takes in a list's index, and the keys if they were asked for.
    pub(crate) fn hear(&mut self, index: u64, keys: Option<&BTreeSet<String>>, now: Instant) -> Belief {
        match (self.reason(index, keys), self.suspicion.take()) {
            (None, _) => {
                self.believe(index, keys);
                Belief::Believed
            }
            (Some(reason), suspicion) => self.suspect(reason, suspicion, index, keys, now),
        }
    }

    /// Somebody says that it was meant.
    pub(crate) fn accept(&mut self) {
        if self.suspicion.take().is_some() {
            (self.high, self.keys) = (0, BTreeSet::new());
        }
    }

    fn reason(&self, index: u64, keys: Option<&BTreeSet<String>>) -> Option<Reason> {
        let are_others = |keys: &BTreeSet<String>| {
            !keys.is_empty() && !self.keys.is_empty() && keys.is_disjoint(&self.keys)
        };
        // Without word of the keys they are those of the last time that they were asked for.
        let doubted = self.suspicion.as_ref().filter(|_| keys.is_none()).map(|suspicion| &suspicion.keys);
        if keys.or(doubted).is_some_and(are_others) {
            return Some(Reason::Others);
        }
        self.is_behind(index).then_some(Reason::WentBack { from: self.high, to: index })
    }

    fn suspect(
        &mut self,
        reason: Reason,
        suspicion: Option<Suspicion>,
        index: u64,
        keys: Option<&BTreeSet<String>>,
        now: Instant,
    ) -> Belief {
        let mut suspicion = suspicion.filter(|before| before.goes_on(reason, index)).unwrap_or(Suspicion {
            reason,
            since: now,
            hearings: 0,
            index,
            keys: BTreeSet::new(),
        });
        suspicion.hearings += 1;
        suspicion.index = index;
        if let Some(keys) = keys {
            suspicion.keys.clone_from(keys);
        }
        if suspicion.hearings >= HEARINGS && now.saturating_duration_since(suspicion.since) >= self.confirm {
            (self.high, self.keys) = (index, suspicion.keys);
            return Belief::Confirmed(suspicion.reason);
        }
        self.suspicion = Some(suspicion);
        Belief::Doubted(reason, self.confirm / (HEARINGS - 1))
    }

    fn believe(&mut self, index: u64, keys: Option<&BTreeSet<String>>) {
        self.high = self.high.max(index);
        if let Some(keys) = keys.filter(|keys| !keys.is_empty()) {
            self.keys.clone_from(keys);
        }
    }
}

impl Suspicion {
    fn goes_on(&self, reason: Reason, index: u64) -> bool {
        let is_same = matches!(
            (self.reason, reason),
            (Reason::Others, Reason::Others) | (Reason::WentBack { .. }, Reason::WentBack { .. })
        );
        is_same && index >= self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIRM: Duration = Duration::from_secs(30);

    fn keys(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    struct World {
        doubt: Doubt,
        start: Instant,
    }

    impl World {
        fn new() -> Self {
            let (mut doubt, start) = (Doubt::new(CONFIRM), Instant::now());
            assert_eq!(doubt.hear(100, Some(&keys(&["a"])), start), Belief::Believed);
            Self { doubt, start }
        }

        fn hear(&mut self, seconds: u64, index: u64, names: &[&str]) -> Belief {
            self.doubt.hear(index, Some(&keys(names)), self.start + Duration::from_secs(seconds))
        }
    }

    #[test]
    fn an_index_that_goes_back_counts_when_it_has_been_heard_three_times_over_half_a_minute() {
        let mut world = World::new();
        let reason = Reason::WentBack { from: 100, to: 40 };
        let doubted = Belief::Doubted(reason, Duration::from_secs(15));
        assert_eq!(world.hear(1, 40, &["a"]), doubted);
        assert_eq!(world.hear(2, 40, &["a"]), doubted);
        assert_eq!(world.hear(3, 40, &["a"]), doubted, "not long enough");
        assert_eq!(world.hear(31, 40, &["a"]), Belief::Confirmed(reason));
        assert_eq!(world.hear(32, 41, &["a"]), Belief::Believed);
    }

    #[test]
    fn an_index_that_comes_back_ends_the_doubt_at_once() {
        let mut world = World::new();
        assert!(matches!(world.hear(1, 40, &["a"]), Belief::Doubted(..)));
        assert_eq!(world.hear(2, 101, &["a"]), Belief::Believed);
        assert!(matches!(world.hear(40, 60, &["a"]), Belief::Doubted(..)), "the doubt begins anew");
    }

    #[test]
    fn other_servers_are_doubted_though_their_index_is_higher() {
        let mut world = World::new();
        let doubted = Belief::Doubted(Reason::Others, Duration::from_secs(15));
        assert_eq!(world.hear(1, 500, &["b"]), doubted);
        assert_eq!(
            world.doubt.hear(501, None, world.start + Duration::from_secs(2)),
            doubted,
            "keys not asked for"
        );
        assert_eq!(world.hear(31, 502, &["b", "c"]), Belief::Confirmed(Reason::Others));
        assert_eq!(world.hear(32, 503, &["b"]), Belief::Believed);
    }

    #[test]
    fn servers_that_have_told_no_keys_may_be_others() {
        let mut doubt = Doubt::new(CONFIRM);
        doubt.hear(100, Some(&keys(&[])), Instant::now());
        assert!(!doubt.knows_keys());
        doubt.hear(100, Some(&keys(&["a"])), Instant::now());
        assert!(doubt.knows_keys());
    }

    #[test]
    fn a_key_that_rotates_is_no_reason_for_doubt() {
        let mut world = World::new();
        assert_eq!(world.hear(1, 101, &["a", "b"]), Belief::Believed);
        assert_eq!(world.hear(2, 102, &["b"]), Belief::Believed);
        assert_eq!(world.hear(3, 103, &[]), Belief::Believed, "servers that do not tell");
        assert_eq!(world.hear(4, 104, &["b"]), Belief::Believed);
    }

    #[test]
    fn what_somebody_accepts_counts_at_once() {
        let mut world = World::new();
        assert!(matches!(world.hear(1, 40, &["b"]), Belief::Doubted(..)));
        world.doubt.accept();
        assert_eq!(world.hear(2, 40, &["b"]), Belief::Believed);
        assert!(world.doubt.is_behind(39));
    }
}
