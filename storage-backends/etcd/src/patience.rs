//! How long an open batch is waited for.
//!
//! The manifest says when it began by its writer's clock, which may be off; so this process also remembers
//! since when it has seen the batch open. Whichever is longer counts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use biplane_store::clock;
use biplane_store::manifest::{Manifest, PATIENCE};
use tokio::time::Instant;

/// Since when the newest open batch has been seen.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    seen: Mutex<Option<(String, Instant)>>,
}

impl Patience {
    /// How much longer this open batch is waited for; zero: no longer.
    pub(crate) fn left(&self, manifest: &Manifest) -> Duration {
        let seconds = clock::now().0.saturating_sub(manifest.at.0);
        let by_clock = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        PATIENCE.saturating_sub(by_clock.max(self.seen_for(&manifest.id)))
    }

    fn seen_for(&self, id: &str) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &*seen {
            Some((known, since)) if known == id => since.elapsed(),
            _ => {
                *seen = Some((id.to_owned(), Instant::now()));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::scalars::Timestamp;
    use biplane_store::Batch;

    use super::*;

    fn begun(seconds_ago: i64) -> Manifest {
        Manifest { at: Timestamp(clock::now().0 - seconds_ago), ..Manifest::open(&Batch::new()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_waited_for_no_longer_than_patience_whatever_its_clock_says() {
        let patience = Patience::default();
        let fast = begun(-3600);
        assert_eq!(patience.left(&fast), PATIENCE);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(patience.left(&fast), Duration::ZERO);
        assert_eq!(patience.left(&begun(3600)), Duration::ZERO);
        assert!(patience.left(&begun(0)) > Duration::ZERO);
    }
}
