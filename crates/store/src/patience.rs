//! How long an open batch is waited for, by readers and by the writers behind it.
//!
//! Invariant: a batch is given up only after this process itself has seen it open for [`PATIENCE`]. Its manifest
//! says when it began, but by its writer's clock: two machines whose clocks are a few seconds apart would take each
//! other's batches for abandoned while they are being written. Only an age that no difference of clocks explains
//! is believed at once, so that nobody waits for what a writer left behind an hour ago.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;
use crate::manifest::{Manifest, PATIENCE};

/// The age from which the writer's clock is believed.
const GROSS: Duration = Duration::from_mins(2);

/// How many batches are remembered: the one that is open, and those that somebody still reads about.
const REMEMBERED: usize = 4;

/// Since when each open batch has been seen. All readers and writers of a store in one process share one.
#[derive(Debug, Default)]
pub struct Patience {
    seen: Mutex<VecDeque<Seen>>,
}

/// One batch.
#[derive(Debug)]
struct Seen {
    id: String,
    since: Instant,
}

impl Patience {
    /// How much longer this open batch is waited for; zero: no longer. Asking begins the wait.
    pub fn left(&self, manifest: &Manifest) -> Duration {
        let seconds = clock::now().0.saturating_sub(manifest.at.0);
        let age = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        if age > GROSS {
            return Duration::ZERO;
        }
        PATIENCE.saturating_sub(self.since(manifest).elapsed())
    }

    fn since(&self, manifest: &Manifest) -> Instant {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.iter().find(|known| known.id == manifest.id) {
            return known.since;
        }
        let since = Instant::now();
        seen.push_front(Seen { id: manifest.id.clone(), since });
        seen.truncate(REMEMBERED);
        since
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::scalars::Timestamp;

    use super::*;
    use crate::batch::Batch;

    /// A batch that began so long ago, as its writer has it.
    fn begun(seconds_ago: i64) -> Manifest {
        Manifest { at: Timestamp(clock::now().0 - seconds_ago), ..Manifest::open(&Batch::new()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_has_its_time_however_its_writers_clock_goes() {
        for seconds in [-3600, -30, 0, 11, 60] {
            let (patience, batch) = (Patience::default(), begun(seconds));
            assert_eq!(patience.left(&batch), PATIENCE, "{seconds} s");
            tokio::time::advance(PATIENCE / 2).await;
            assert_eq!(patience.left(&batch), PATIENCE / 2, "{seconds} s");
            tokio::time::advance(PATIENCE).await;
            assert_eq!(patience.left(&batch), Duration::ZERO, "{seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_was_left_long_ago_is_not_waited_for() {
        assert_eq!(Patience::default().left(&begun(3600)), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn each_batch_is_waited_for_by_itself() {
        let (patience, one, two) = (Patience::default(), begun(0), begun(0));
        assert_eq!(patience.left(&one), PATIENCE);
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(patience.left(&two), PATIENCE);
        assert_eq!(patience.left(&one), PATIENCE / 2);
    }
}
