//! When things are done again: doubling and capped after failures, spread where many do the same. Pure, but for chance.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first delay after a failure.
const FIRST: Duration = Duration::from_secs(1);

/// Delays that double up to a limit, for ever. Each is shortened by up to half, so that those who failed together
/// do not come back together.
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
        let delay = self.next.mul_f64(1.0 - random() / 2.0);
        self.next = (self.next * 2).min(self.max);
        delay
    }

    pub(crate) fn reset(&mut self) {
        self.next = FIRST.min(self.max);
    }
}

/// `period`, give or take a tenth.
pub(crate) fn around(period: Duration) -> Duration {
    period.mul_f64(0.9 + random() / 5.0)
}

/// A number in `0.0..=1.0` that differs from call to call and from process to process.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(bits).expect("the upper half of 64 bits")) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        for most in [1, 2, 4, 5, 5] {
            let (delay, most) = (backoff.delay(), Duration::from_secs(most));
            assert!(delay <= most && delay * 2 >= most, "{delay:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= FIRST);
    }

    #[test]
    fn what_is_done_around_a_time_is_done_near_it() {
        let range = Duration::from_secs(9)..=Duration::from_secs(11);
        assert!((0..50).all(|_| range.contains(&around(Duration::from_secs(10)))));
    }
}
