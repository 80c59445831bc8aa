//! Whether a connection is of use: it is while it has a stream.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How many streams a connection has. A cheap handle: clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(Arc<watch::Sender<usize>>);

/// A stream of a connection; dropping it takes it off.
#[derive(Debug)]
pub(crate) struct InUse(Usage);

impl Usage {
    /// One stream more.
    pub(crate) fn begin(&self) -> InUse {
        self.0.send_modify(|streams| *streams += 1);
        InUse(self.clone())
    }

    /// Ends when there has been no stream for too long: for `opening` at the start, and for `idle` later on.
    pub(crate) async fn ceases(&self, opening: Duration, idle: Duration) {
        let (mut streams, mut patience) = (self.0.subscribe(), opening);
        while timeout(patience, streams.wait_for(|streams| *streams > 0)).await.is_ok() {
            streams.wait_for(|streams| *streams == 0).await.expect("the sender is this one's");
            patience = idle;
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.0.send_modify(|streams| *streams -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const OPENING: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_stream_ceases_soon_at_first_and_later_when_it_had_one() {
        let (usage, start) = (Usage::default(), Instant::now());
        usage.ceases(OPENING, IDLE).await;
        assert_eq!(start.elapsed(), OPENING);

        let (usage, start) = (Usage::default(), Instant::now());
        let streams = async {
            let one = usage.begin();
            tokio::time::sleep(IDLE * 3).await;
            let other = usage.begin();
            drop(one);
            tokio::time::sleep(IDLE * 3).await;
            drop(other);
        };
        tokio::join!(usage.ceases(OPENING, IDLE), streams);
        assert_eq!(start.elapsed(), IDLE * 7, "it is of use while any stream is open");
    }
}
