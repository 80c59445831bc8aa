//! How many certificates and credentials are issued in a second: after an outage hundreds are due at once.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Gives so many turns a second, and as many at once if nobody took one for a second.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: Duration,
    burst: Duration,
    /// When the bucket is full again.
    full_at: Mutex<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: NonZeroU32) -> Self {
        let second = Duration::from_secs(1);
        let interval = second / rate.get();
        Self { interval, burst: second.saturating_sub(interval), full_at: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn. Turns come in the order in which they were asked for.
    pub(crate) async fn turn(&self) {
        sleep_until(self.take(Instant::now())).await;
    }

    /// When the next turn is.
    fn take(&self, now: Instant) -> Instant {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = (*full_at).max(now) + self.interval;
        (*full_at).checked_sub(self.interval + self.burst).map_or(now, |at| at.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_turns_at_once_and_then_the_rate() {
        let bucket = Bucket::new(NonZeroU32::new(5).expect("five"));
        let now = Instant::now() + Duration::from_hours(1);
        let waits: Vec<_> = (0..8).map(|_| bucket.take(now).duration_since(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 200, 400, 600]);
        let later = now + Duration::from_secs(10);
        assert_eq!(bucket.take(later), later);
    }

    #[test]
    fn one_a_second_never_comes_in_pairs() {
        let bucket = Bucket::new(NonZeroU32::MIN);
        let now = Instant::now() + Duration::from_hours(1);
        let waits: Vec<_> = (0..3).map(|_| bucket.take(now).duration_since(now).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2]);
    }
}
