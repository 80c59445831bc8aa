//! When sources do things again: doubling and capped after failures, spread where many do the same. Pure, but for chance.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first delay after a failure, where nobody says otherwise.
const FIRST: Duration = Duration::from_millis(250);

/// Delays that double up to a limit, for ever. Each is shortened by up to half, so that those who failed together
/// do not come back together.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Delays up to `max`, from a quarter of a second on.
    pub fn new(max: Duration) -> Self {
        Self::starting(FIRST, max)
    }

    /// Delays from `first` to `max`.
    pub fn starting(first: Duration, max: Duration) -> Self {
        let first = first.min(max);
        Self { first, max, next: first }
    }

    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let delay = self.next.mul_f64(1.0 - random() / 2.0);
        self.next = (self.next * 2).min(self.max);
        delay
    }

    /// It has worked: the next failure is the first.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// `period`, give or take a tenth.
pub fn around(period: Duration) -> Duration {
    period.mul_f64(0.9 + random() / 5.0)
}

/// A time up to a tenth shorter, so that what began together parts.
pub fn almost(time: Duration) -> Duration {
    time.mul_f64(1.0 - random() / 10.0)
}

/// A part of `life` between two shares of it.
pub fn between(life: Duration, from: f64, to: f64) -> Duration {
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
        let mut backoff = Backoff::new(Duration::from_millis(1500));
        for most in [250, 500, 1000, 1500, 1500] {
            let (delay, most) = (backoff.delay(), Duration::from_millis(most));
            assert!(delay <= most && delay * 2 >= most, "{delay:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= FIRST);
    }

    #[test]
    fn parts_of_a_life_stay_in_their_range_and_differ() {
        let times: Vec<_> = (0..50).map(|_| between(Duration::from_secs(100), 0.5, 0.6)).collect();
        let range = Duration::from_secs(50)..=Duration::from_mins(1);
        assert!(times.iter().all(|time| range.contains(time)), "{times:?}");
        assert!(times.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn what_is_done_around_a_time_is_done_near_it() {
        let range = Duration::from_secs(9)..=Duration::from_secs(11);
        assert!((0..50).all(|_| range.contains(&around(Duration::from_secs(10)))));
    }

    #[test]
    fn what_is_done_almost_in_time_is_never_late() {
        let range = Duration::from_secs(9)..=Duration::from_secs(10);
        assert!((0..50).all(|_| range.contains(&almost(Duration::from_secs(10)))));
    }
}
