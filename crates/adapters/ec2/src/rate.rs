//! How many calls a second are made: as many as are allowed, and fewer where somebody says that it is too much.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The slowest: a call in five seconds.
const LEAST: f64 = 0.2;

/// How many calls in a row bring back the full rate from nothing.
const STEPS: f64 = 20.0;

/// Gives turns, as many a second as the rate says, and a second's worth at once after a pause.
#[derive(Debug)]
pub(crate) struct Rate {
    most: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    /// Turns that may be taken at once; less than none while others wait.
    turns: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(most: u32) -> Self {
        let most = f64::from(most);
        Self { most, state: Mutex::new(State { rate: most, turns: most, at: Instant::now() }) }
    }

    /// Waits for a turn. Turns come in the order in which they were asked for.
    pub(crate) async fn turn(&self) {
        let at = self.change(State::take);
        sleep_until(at).await;
    }

    /// A call went well.
    pub(crate) fn went_well(&self) {
        self.change(|state, _| state.rate = (state.rate + self.most / STEPS).min(self.most));
    }

    /// A call was one too many. What was saved up is lost.
    pub(crate) fn was_too_much(&self) {
        self.change(|state, _| {
            state.rate = (state.rate / 2.0).max(LEAST.min(self.most));
            state.turns = state.turns.min(0.0);
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut State, Instant) -> T) -> T {
        // Each change is a few numbers that fit together: a poisoned lock is still usable.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), Instant::now())
    }
}

impl State {
    fn take(&mut self, now: Instant) -> Instant {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.turns = (self.turns + since * self.rate).min(self.rate.max(1.0)) - 1.0;
        now + Duration::from_secs_f64((-self.turns / self.rate).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(rate: &Rate, now: Instant, count: usize) -> Vec<u128> {
        let take = || rate.change(|state, _| state.take(now)).duration_since(now).as_millis();
        (0..count).map(|_| take()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_of_turns_at_once_and_then_the_rate() {
        let rate = Rate::new(5);
        let now = Instant::now();
        assert_eq!(waits(&rate, now, 8), [0, 0, 0, 0, 0, 200, 400, 600]);
        assert_eq!(waits(&rate, now + Duration::from_secs(10), 1), [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_halves_the_rate_and_what_goes_well_brings_it_back() {
        let rate = Rate::new(4);
        rate.was_too_much();
        assert_eq!(waits(&rate, Instant::now(), 3), [500, 1000, 1500]);
        (0..100).for_each(|_| rate.was_too_much());
        assert_eq!(rate.change(|state, _| state.rate.to_string()), "0.2");
        (0..20).for_each(|_| rate.went_well());
        assert_eq!(rate.change(|state, _| state.rate.to_string()), "4");
    }
}
