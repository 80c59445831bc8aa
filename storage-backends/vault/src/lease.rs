//! When a token is renewed, and when another one is needed. Pure: the clock is the caller's.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::Grant;
use crate::pace;

/// The least time between two renewals: a token that nears the end of what can be renewed gives ever less.
const LEAST: Duration = Duration::from_millis(500);

/// What is known of a token's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// When it ends; none: never.
    pub(crate) ends: Option<Instant>,
    /// What is to be done next, and when.
    pub(crate) next: Option<(Instant, Step)>,
    /// The longest life that it was ever granted.
    longest: Duration,
}

/// What keeps us logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The token lasts longer.
    Renew,
    /// Another token.
    LogIn,
}

impl Lease {
    /// The lease of a new token. `makes_tokens`: whether another one can be had.
    pub(crate) fn new(grant: &Grant, makes_tokens: bool, now: Instant) -> Self {
        Self::after(grant, Duration::ZERO, makes_tokens, now)
    }

    /// The lease after a renewal.
    pub(crate) fn renewed(&self, grant: &Grant, makes_tokens: bool, now: Instant) -> Self {
        Self::after(grant, self.longest, makes_tokens, now)
    }

    fn after(grant: &Grant, before: Duration, makes_tokens: bool, now: Instant) -> Self {
        let life = Duration::from_secs(grant.lease_duration);
        // Without end from the start; later it is less than a second that is left.
        if life.is_zero() && before.is_zero() {
            return Self { ends: None, next: None, longest: before };
        }
        let longest = life.max(before);
        // Two thirds, with jitter to the safe side.
        let at = now + pace::between(life, 0.58, 0.667).max(LEAST);
        // The maximum of its life cuts what a renewal gives: another one before that.
        let is_cut = life < longest.mul_f64(0.75);
        let step = match (grant.renewable && !(is_cut && makes_tokens), makes_tokens) {
            (true, _) => Some(Step::Renew),
            (false, true) => Some(Step::LogIn),
            (false, false) => None,
        };
        Self { ends: Some(now + life), next: step.map(|step| (at, step)), longest }
    }

    /// The same after a step that has failed: it is done again before the end.
    pub(crate) fn again(&mut self, step: Step, delay: Duration, now: Instant) {
        let left = self.ends.map_or(delay, |ends| ends.saturating_duration_since(now) / 3);
        self.next = Some((now + delay.min(left).max(LEAST), step));
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    /// When something has to be looked at, be it the end.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        let step = self.next.map(|(at, _)| at);
        step.into_iter().chain(self.ends).min()
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::scalars::SecretString;

    use super::*;

    fn grant(lease_duration: u64, renewable: bool) -> Grant {
        Grant { client_token: SecretString::new("s.x"), lease_duration, renewable }
    }

    fn wait(lease: &Lease, now: Instant) -> (f64, Step) {
        let (at, step) = lease.next.expect("something is to be done");
        (at.duration_since(now).as_secs_f64(), step)
    }

    #[test]
    fn a_token_is_renewed_before_two_thirds_of_its_life() {
        let now = Instant::now();
        for makes_tokens in [true, false] {
            let (after, step) = wait(&Lease::new(&grant(90, true), makes_tokens, now), now);
            assert!((52.0..=60.1).contains(&after) && step == Step::Renew, "{after}");
        }
    }

    #[test]
    fn another_token_comes_before_the_end_of_what_can_be_renewed() {
        let now = Instant::now();
        let lease = Lease::new(&grant(90, true), true, now);
        assert_eq!(wait(&lease.renewed(&grant(90, true), true, now), now).1, Step::Renew);
        let (after, step) = wait(&lease.renewed(&grant(30, true), true, now), now);
        assert!(after <= 20.1 && step == Step::LogIn, "{after}");
        // Whoever cannot have another one goes on with what there is.
        assert_eq!(wait(&lease.renewed(&grant(30, true), false, now), now).1, Step::Renew);
        assert_eq!(wait(&Lease::new(&grant(90, false), true, now), now).1, Step::LogIn);
        assert_eq!(Lease::new(&grant(90, false), false, now).next, None);
    }

    #[test]
    fn a_token_without_end_needs_nothing() {
        let lease = Lease::new(&grant(0, false), false, Instant::now());
        assert_eq!((lease.wakes(), lease.is_over(Instant::now())), (None, false));
    }

    #[test]
    fn less_than_a_second_that_is_left_is_no_life_without_end() {
        let now = Instant::now();
        let lease = Lease::new(&grant(2, true), true, now).renewed(&grant(0, true), true, now);
        assert!(lease.is_over(now));
    }

    #[test]
    fn a_step_that_failed_is_done_again_before_the_end() {
        let now = Instant::now();
        let mut lease = Lease::new(&grant(9, true), true, now);
        lease.again(Step::Renew, Duration::from_mins(1), now + Duration::from_secs(6));
        let (after, _) = wait(&lease, now);
        assert!((6.9..=7.1).contains(&after), "{after}");
        assert!(lease.is_over(now + Duration::from_secs(9)));
    }
}
