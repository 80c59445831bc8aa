//! Reading the store now, because somebody asks, and saying what became of it.
//!
//! Stores are followed without being asked. Whoever asks wants to know when what was written is in use, and whether all of
//! it is: a mistake costs the object that it is in, which stays as it was.

use std::time::Duration;

use biplane_core::report::Severity;
use biplane_store::DriverHandle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::block_in_place;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::run_loop::Activity;
use crate::shared::SharedEngine;

/// How long a store may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Questions that may wait: they are asked one after the other.
const QUESTIONS: usize = 1;

/// What is said to whoever asks too late.
const STOPPING: &str = "the control plane is stopping";

type Answer = oneshot::Sender<Result<(), String>>;

/// Has a control plane read its store.
#[derive(Clone, Debug)]
pub struct Reload {
    questions: mpsc::Sender<Answer>,
}

impl Reload {
    /// Returns when all of the store is read and in use; otherwise why it is not, in one line.
    pub async fn read_now(&self) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(answer).await.map_err(|_| STOPPING.to_owned())?;
        answered.await.map_err(|_| STOPPING.to_owned())?
    }
}

/// Where the questions arrive.
#[derive(Debug)]
pub(crate) struct Reloads {
    questions: mpsc::Receiver<Answer>,
}

/// The two ends.
pub(crate) fn reloads() -> (Reload, Reloads) {
    let (ask, questions) = mpsc::channel(QUESTIONS);
    (Reload { questions: ask }, Reloads { questions })
}

impl Reloads {
    /// Answers until shutdown.
    pub(crate) async fn run(
        mut self,
        driver: DriverHandle,
        engine: SharedEngine,
        activity: watch::Receiver<Activity>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let answering = async {
            while let Some(answer) = self.questions.recv().await {
                // Whoever asked may have gone; the store was read all the same.
                let _ = answer.send(read(&driver, &engine, activity.clone()).await);
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = answering => {
                shutdown.cancelled().await;
                Ok(())
            }
        }
    }
}

async fn read(
    driver: &DriverHandle,
    engine: &SharedEngine,
    mut activity: watch::Receiver<Activity>,
) -> Result<(), String> {
    let before = activity.borrow_and_update().readings;
    driver.relist();
    let read = timeout(DEADLINE, activity.wait_for(|activity| activity.readings > before)).await;
    if !matches!(read, Ok(Ok(_))) {
        let failure = engine.lock().store().failure.clone();
        let why =
            failure.map_or_else(|| "it does not answer".to_owned(), |failure| failure.error.to_string());
        return Err(format!("the store cannot be read: {why}"));
    }
    block_in_place(|| verdict(engine))
}

/// The first mistake stands for all of them.
fn verdict(engine: &SharedEngine) -> Result<(), String> {
    let findings = engine.lock().findings();
    let errors: Vec<_> =
        findings.located().into_iter().filter(|report| report.severity == Severity::Error).collect();
    match errors.as_slice() {
        [] => Ok(()),
        [only] => Err(only.to_string()),
        [first, others @ ..] => Err(format!("{first} (and {} more)", others.len())),
    }
}
