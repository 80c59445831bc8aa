//! When things are done again: doubling and capped after failures, spread where many do the same. Pure, but for chance.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first delay after a failure.
const FIRST: Duration = Duration::from_millis(500);

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

/// A part of `life` between two shares of it.
pub(crate) fn between(life: Duration, from: f64, to: f64) -> Duration {
    life.mul_f64(from + (to - from) * random())
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
        let mut backoff = Backoff::new(Duration::from_secs(3));
        for most in [500, 1000, 2000, 3000, 3000] {
            let (delay, most) = (backoff.delay(), Duration::from_millis(most));
            assert!(delay <= most && delay * 2 >= most, "{delay:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= FIRST);
    }

    #[test]
    fn spread_times_stay_in_their_range_and_differ() {
        let times: Vec<_> = (0..50).map(|_| between(Duration::from_secs(100), 0.5, 0.6)).collect();
        let range = Duration::from_secs(50)..=Duration::from_mins(1);
        assert!(times.iter().all(|time| range.contains(time)), "{times:?}");
        assert!(times.windows(2).any(|pair| pair[0] != pair[1]));
        let range = Duration::from_secs(9)..=Duration::from_secs(11);
        assert!(range.contains(&around(Duration::from_secs(10))));
    }
}
