//! Delays between attempts that go on for ever: doubling, capped, jittered.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Delays that double from `min` to `max`; each is shortened by up to half.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Delays between these.
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The next delay.
    pub(crate) fn delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(self.max);
        delay.mul_f64(1.0 - f64::from(random()) / 512.0)
    }

    /// It works again.
    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }
}

fn random() -> u8 {
    RandomState::new().hash_one(0_u8).to_le_bytes()[7]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_start_over() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(5));
        let mut backoff = Backoff::new(min, max);
        for full in [1, 2, 4, 5, 5] {
            let delay = backoff.delay();
            assert!(delay <= Duration::from_secs(full) && delay > Duration::from_secs(full) / 2, "{delay:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= min);
    }
}
