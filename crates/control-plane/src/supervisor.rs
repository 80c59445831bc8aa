//! Owns the process's tasks: each has a name, and none ends unnoticed.
//!
//! Tasks run until shutdown. One that ends before, by an error, a panic or for no reason, takes the
//! others down in good order: whoever supervises the process starts it anew, and the snapshot on disk
//! makes that harmless.

use anyhow::{Context as _, anyhow};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info_span};

/// The tasks of a process.
#[derive(Debug)]
pub(crate) struct Supervisor {
    tasks: JoinSet<anyhow::Result<()>>,
    names: Vec<(Id, &'static str)>,
    shutdown: CancellationToken,
}

impl Supervisor {
    /// Supervises until `shutdown`.
    pub(crate) fn new(shutdown: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), names: Vec::new(), shutdown }
    }

    /// Starts a task.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(task.instrument(info_span!("task", name)));
        self.names.push((handle.id(), name));
    }

    /// Waits for shutdown and for all tasks to end; gives the first thing that went wrong.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let (id, result) = match ended {
                Ok((id, result)) => (id, result),
                Err(error) => (error.id(), Err(anyhow!(error))),
            };
            let name = self.name(id);
            let result = match result {
                Ok(()) if !self.shutdown.is_cancelled() => Err(anyhow!("it ended by itself")),
                other => other,
            };
            if let Err(error) = result.with_context(|| format!("task {name} stopped")) {
                error!(error = format!("{error:#}"), "shutting down");
                outcome = outcome.and(Err(error));
            }
            debug!(name, "task ended");
            self.shutdown.cancel();
        }
        outcome
    }

    fn name(&self, id: Id) -> &'static str {
        self.names.iter().find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn task_that_ends_early_ends_the_others_and_is_named() {
        let shutdown = CancellationToken::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        let waiting = shutdown.clone();
        supervisor.spawn("patient", async move {
            waiting.cancelled().await;
            Ok(())
        });
        supervisor.spawn("hasty", async { Ok(()) });
        let error = supervisor.run().await.unwrap_err();
        assert_eq!(format!("{error:#}"), "task hasty stopped: it ended by itself");
    }

    #[tokio::test]
    async fn panic_is_an_error_with_a_name() {
        let mut supervisor = Supervisor::new(CancellationToken::new());
        supervisor.spawn("fragile", async { panic!("invariant") });
        let error = supervisor.run().await.unwrap_err();
        assert!(format!("{error:#}").starts_with("task fragile stopped: "), "{error:#}");
    }

    #[tokio::test]
    async fn shutdown_in_good_order_is_no_error() {
        let shutdown = CancellationToken::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        let waiting = shutdown.clone();
        supervisor.spawn("patient", async move {
            waiting.cancelled().await;
            Ok(())
        });
        shutdown.cancel();
        supervisor.run().await.unwrap();
    }
}
