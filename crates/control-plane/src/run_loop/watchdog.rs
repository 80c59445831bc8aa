//! Signs of life for whoever supervises the process from outside.
//!
//! Invariant: a sign comes from the loop itself, which feeds the watchdog between two transactions and while it waits for
//! others. A loop that hangs gives none; a store that hangs stops none.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::manager::ServiceManager;

/// Signs within the patience of who waits for them: one may be late, and one may be lost.
const SIGNS: u32 = 3;

/// Feeds the watchdog, if there is one. Without one nothing ever is due.
#[derive(Debug)]
pub(crate) struct Watchdog {
    manager: Arc<dyn ServiceManager>,
    ticks: Option<Interval>,
}

impl Watchdog {
    /// The watchdog of a manager; the first sign is due at once.
    pub(crate) fn of(manager: Arc<dyn ServiceManager>) -> Self {
        let ticks = manager.patience().map(|patience| every(patience / SIGNS));
        Self { manager, ticks }
    }

    /// Returns when a sign is due.
    pub(super) async fn due(&mut self) {
        match &mut self.ticks {
            Some(ticks) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Gives one.
    pub(super) fn feed(&self) {
        self.manager.alive();
    }

    /// Waits for others, giving the signs that are due in the meantime.
    pub(super) async fn fed<T>(&mut self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = pin!(waiting);
        loop {
            tokio::select! {
                value = &mut waiting => return value,
                () = self.due() => self.feed(),
            }
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::sleep;

    use super::*;

    #[derive(Debug, Default)]
    struct Counter {
        patience: Option<Duration>,
        signs: AtomicUsize,
    }

    impl ServiceManager for Counter {
        fn patience(&self) -> Option<Duration> {
            self.patience
        }

        fn ready(&self) {}

        fn alive(&self) {
            self.signs.fetch_add(1, Ordering::Relaxed);
        }

        fn standing(&self, _: &str) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_stops_no_sign_of_life() {
        let counter = Arc::new(Counter { patience: Some(Duration::from_secs(30)), ..Counter::default() });
        let mut watchdog = Watchdog::of(counter.clone());
        watchdog.fed(sleep(Duration::from_secs(95))).await;
        assert_eq!(counter.signs.load(Ordering::Relaxed), 10, "at 0 s and every 10 s");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_waits_means_no_sign() {
        let counter = Arc::new(Counter::default());
        Watchdog::of(counter.clone()).fed(sleep(Duration::from_hours(1))).await;
        assert_eq!(counter.signs.load(Ordering::Relaxed), 0);
    }
}
