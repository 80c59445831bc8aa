//! Files with credentials, which others replace: whether they have, since somebody looked.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

/// Some files, as they were.
pub(super) struct Files {
    paths: Vec<PathBuf>,
    glance: Duration,
    seen: Vec<Option<(SystemTime, u64)>>,
}

impl Files {
    pub(super) fn new(paths: Vec<PathBuf>, glance: Duration) -> Self {
        let seen = stamps(&paths);
        Self { paths, glance, seen }
    }

    /// What they are like now is what they are compared with from here on.
    pub(super) fn look(&mut self) {
        self.seen = stamps(&self.paths);
    }

    /// Waits until one of them is another one. Without files, for ever.
    pub(super) async fn changed(&self) {
        if self.paths.is_empty() {
            return std::future::pending().await;
        }
        while stamps(&self.paths) == self.seen {
            sleep(self.glance).await;
        }
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |path: &PathBuf| {
        let metadata = path.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.iter().map(stamp).collect()
}
