//! How long to wait before trying again: doubling, capped, jittered, for ever.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Delays that double from `min` to `max`; each is shortened by up to half, so that replicas that
/// failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The next delay; `random` is in `0.0..1.0`.
    pub(crate) fn delay(&mut self, random: f64) -> Duration {
        let delay = self.next.mul_f64(1.0 - random / 2.0);
        self.next = (self.next * 2).min(self.max);
        delay
    }

    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }
}

/// A number in `0.0..1.0` that differs from call to call and from process to process.
pub(crate) fn random() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(bits).expect("the upper half of 64 bits")) / f64::from(u32::MAX)
}

/// `period`, give or take a tenth.
pub(crate) fn jittered(period: Duration, random: f64) -> Duration {
    period.mul_f64(0.9 + random / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_stay_there() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let delays: Vec<_> = (0..4).map(|_| backoff.delay(0.0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 350, 350]);
    }

    #[test]
    fn jitter_never_takes_more_than_half() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        assert_eq!(backoff.delay(1.0).as_millis(), 50);
    }

    #[test]
    fn a_reset_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        backoff.delay(0.0);
        backoff.reset();
        assert_eq!(backoff.delay(0.0).as_millis(), 100);
    }

    #[test]
    fn random_numbers_are_in_range_and_differ() {
        let numbers: Vec<_> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(numbers.windows(2).any(|pair| (pair[0] - pair[1]).abs() > f64::EPSILON));
    }
}
