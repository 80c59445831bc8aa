//! How many requests are under way, and whether any may leave: a server that says "later" says it to all of us.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Lets requests through.
#[derive(Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
    closed_until: Mutex<Option<Instant>>,
}

impl Gate {
    /// A gate that is open, for so many at a time and at least for one.
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.max(1))), closed_until: Mutex::new(None) }
    }

    /// Waits for the gate to open and for a place. If it stays closed beyond the deadline: for how long.
    pub async fn enter(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Duration> {
        loop {
            if let Some(until) = self.closed_until() {
                if until >= deadline {
                    return Err(until.saturating_duration_since(Instant::now()));
                }
                sleep_until(until).await;
            }
            let permit = Arc::clone(&self.places).acquire_owned().await.expect("nobody closes the semaphore");
            if self.closed_until().is_none() {
                return Ok(permit);
            }
        }
    }

    /// Closes it for a while; if it is closed already, it opens at the later of both times. Whether it opens before the
    /// deadline. Whoever shares a server with others adds a moment by chance, so that they do not come back together.
    pub fn close(&self, pause: Duration, deadline: Instant) -> bool {
        let until = Instant::now() + pause;
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |before| before.max(until)));
        until < deadline
    }

    fn closed_until(&self) -> Option<Instant> {
        let closed = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        closed.filter(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_holds_everybody_and_opens_again() {
        let gate = Gate::new(2);
        assert!(gate.close(Duration::from_secs(1), after(5000)));
        let started = Instant::now();
        drop(gate.enter(after(5000)).await.expect("it opens in time"));
        assert!(started.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_time_to_wait_is_told_at_once() {
        let gate = Gate::new(2);
        assert!(!gate.close(Duration::from_mins(1), after(5000)));
        let pause = gate.enter(after(5000)).await.expect_err("it opens too late");
        assert!(pause > Duration::from_secs(59));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_pause_does_not_open_a_gate_before_its_time() {
        let gate = Gate::new(1);
        gate.close(Duration::from_secs(2), after(5000));
        gate.close(Duration::from_secs(1), after(5000));
        let started = Instant::now();
        drop(gate.enter(after(5000)).await.expect("it opens in time"));
        assert!(started.elapsed() >= Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_are_inside() {
        let gate = Gate::new(1);
        let inside = gate.enter(after(1000)).await.expect("free");
        let waiting = tokio::time::timeout(Duration::from_millis(10), gate.enter(after(1000)));
        assert!(waiting.await.is_err(), "the place is taken");
        drop(inside);
        drop(gate.enter(after(1000)).await.expect("free again"));
    }
}
