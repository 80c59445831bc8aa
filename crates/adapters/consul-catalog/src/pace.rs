//! When things are done again: doubling and capped after failures, spread where many do the same. Pure, but for chance.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first delay after a failure.
const FIRST: Duration = Duration::from_millis(250);

/// Delays that double up to a limit, for ever. Each is shortened by up to half, so that many who failed together do not
/// come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(max: Duration) -> Self {
        Self { max, next: FIRST.min(max) }
    }

    /// The next delay.
    pub(crate) fn delay(&mut self) -> Duration {
        let delay = self.next.mul_f64(1.0 - chance() / 2.0);
        self.next = (self.next * 2).min(self.max);
        delay
    }

    pub(crate) fn reset(&mut self) {
        self.next = FIRST.min(self.max);
    }
}

/// `period`, give or take a tenth.
pub(crate) fn around(period: Duration) -> Duration {
    period.mul_f64(0.9 + chance() / 5.0)
}

/// From 0 to 1, another each time.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(bits).expect("half of 64 bits are 32")) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_the_limit_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        for most in [250, 500, 1000, 1000] {
            let (delay, most) = (backoff.delay(), Duration::from_millis(most));
            assert!((most / 2..=most).contains(&delay), "{delay:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= FIRST);
        assert!((9..=11).contains(&around(Duration::from_secs(10)).as_secs()));
    }
}
