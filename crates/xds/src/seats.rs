//! The streams that are open, counted by whose they are.
//!
//! Invariant: a seat is counted exactly as long as it lives, and an identity is listed only while it has one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::door::Pass;
use crate::limits::Limits;

/// All seats. A cheap handle: clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    limits: Limits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_identity: HashMap<Arc<str>, usize>,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("{0} streams are open, which is all there may be")]
    All(usize),
    #[error("{0} streams of this identity are open, which is all it may have")]
    Identity(usize),
}

/// A stream's place; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    identity: Arc<str>,
}

impl Seats {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Takes one for a caller.
    pub(crate) fn take(&self, pass: &Pass) -> Result<Seat, Full> {
        let is_one_node = pass.node.is_some();
        let most = if is_one_node { self.limits.streams_per_node } else { self.limits.streams_per_identity };
        let mut taken = self.taken();
        let own = taken.by_identity.get(pass.who.as_str()).copied().unwrap_or_default();
        if own >= most {
            return Err(Full::Identity(own));
        }
        if taken.all >= self.limits.streams {
            return Err(Full::All(taken.all));
        }
        let identity: Arc<str> = pass.who.as_str().into();
        taken.all += 1;
        taken.by_identity.insert(identity.clone(), own + 1);
        Ok(Seat { seats: self.clone(), identity })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Plain data stays whole even if a thread panicked while it held the lock.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all -= 1;
        let own = taken.by_identity.get_mut(&self.identity).expect("a seat is counted as long as it lives");
        *own -= 1;
        if *own == 0 {
            taken.by_identity.remove(&self.identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::{Membership, ProvedBy};

    fn seats() -> Seats {
        let limits = Limits { streams: 4, streams_per_identity: 3, streams_per_node: 2, ..Limits::default() };
        Seats::new(limits)
    }

    fn pass(who: &str, node: Option<&str>) -> Pass {
        let node = node.map(str::to_owned);
        Pass { who: who.to_owned(), by: ProvedBy::Token, membership: Membership::Claimed, node, until: None }
    }

    fn take(seats: &Seats, pass: &Pass, count: usize) -> Vec<Seat> {
        (0..count).map(|_| seats.take(pass).expect("a seat")).collect()
    }

    #[test]
    fn an_identity_that_has_all_it_may_have_leaves_seats_to_others() {
        let (seats, fleet, other) = (seats(), pass("fleet", None), pass("other", None));
        let mut taken = take(&seats, &fleet, 3);
        assert_eq!(seats.take(&fleet).expect_err("enough"), Full::Identity(3));
        taken.push(seats.take(&other).expect("there is one left"));
        assert_eq!(seats.take(&other).expect_err("none is left"), Full::All(4));
    }

    #[test]
    fn a_caller_that_is_one_node_has_as_many_as_a_node_needs() {
        let (seats, node) = (seats(), pass("n", Some("n")));
        let _taken = take(&seats, &node, 2);
        assert_eq!(seats.take(&node).expect_err("enough"), Full::Identity(2));
    }

    #[test]
    fn a_seat_that_is_given_back_can_be_taken_and_nobody_stays_listed() {
        let (seats, fleet) = (seats(), pass("fleet", None));
        let mut taken = take(&seats, &fleet, 3);
        taken.pop();
        taken.push(seats.take(&fleet).expect("the one that was given back"));
        drop(taken);
        let taken = seats.taken();
        assert_eq!((taken.all, taken.by_identity.len()), (0, 0));
    }
}
