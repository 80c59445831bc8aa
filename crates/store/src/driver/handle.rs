//! How others reach a driver that runs.

use std::sync::Arc;

use tokio::sync::Notify;

/// Asks a [`Driver`](super::Driver) for something, whatever it is doing. Clones reach the same driver.
#[derive(Clone, Debug, Default)]
pub struct DriverHandle {
    wanted: Arc<Notify>,
}

impl DriverHandle {
    /// Has the store listed now, without waiting for a back-off. What it holds is told as
    /// [`Complete`](super::SourceEvent::Complete). Being asked twice before it began is being asked once.
    pub fn relist(&self) {
        self.wanted.notify_one();
    }

    /// Waits until somebody asks.
    pub(super) async fn asked(&self) {
        self.wanted.notified().await;
    }
}
