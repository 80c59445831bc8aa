//! The task that feeds the engine: store events, deadlines and commands in, nothing out but what the engine
//! publishes. It waits for events only; an idle control plane does not wake up.

mod progress;
mod pulse;
mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use biplane_source::SecretSource;
use biplane_store::{Intent, Revision, SourceEvent};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::block_in_place;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::catalog::Made;
use crate::discovery;
use crate::guard::Released;
use crate::leader::Feed;
use crate::newcomer::{self, Newcomer};
use crate::secrets::Told;
use crate::shared::SharedEngine;
pub(crate) use progress::{Activity, Progress};
pub(crate) use pulse::Pulse;
pub(crate) use watchdog::Watchdog;

/// How long a store may say nothing at the start before the last good configuration is served without it.
const SILENCE: Duration = Duration::from_secs(1);

/// What others ask of the loop, which alone changes the engine.
#[derive(Debug)]
pub(crate) enum Command {
    /// Intents that were read, each with the revision that it was written at.
    Intents(Vec<(Revision, Intent)>),
    /// An operator means everything that is held, as long as it has this tag; the answer says what it was, or
    /// that it is something else by now.
    Accept(Option<String>, oneshot::Sender<Option<Released>>),
    /// An operator means that the services of this source of endpoints are gone that are held; the answer says how many
    /// they were.
    AcceptEndpoints(String, oneshot::Sender<usize>),
}

/// What the loop is fed from and what it tells.
#[derive(Debug)]
pub(crate) struct Lines {
    /// From the store's driver.
    pub(crate) events: mpsc::Receiver<SourceEvent>,
    /// From people and from the reader of intents.
    pub(crate) commands: mpsc::Receiver<Command>,
    /// To everybody who waits for something.
    pub(crate) progress: Progress,
    /// To the writer of histories.
    pub(crate) feed: Option<Arc<Feed>>,
    /// Looks at the first reading.
    pub(crate) newcomer: Option<Newcomer>,
    /// From and to the sources of secrets.
    pub(crate) secrets: SecretLines,
    /// From the sources of endpoints.
    pub(crate) endpoints: mpsc::Receiver<Vec<discovery::Told>>,
    /// What is made of services.
    pub(crate) made: mpsc::Receiver<Made>,
    /// Who is told that the loop goes round.
    pub(crate) watchdog: Watchdog,
}

/// What is heard of secrets.
#[derive(Debug)]
pub(crate) struct SecretLines {
    /// From the keeper.
    pub(crate) told: mpsc::Receiver<Vec<Told>>,
    /// From Envoys: one has confirmed secrets.
    pub(crate) confirmations: watch::Receiver<u64>,
    /// Asked to read again when a root changes.
    pub(crate) sources: Vec<Arc<dyn SecretSource>>,
}

impl SecretLines {
    /// Where a root changes, certificates that it signed may lie beside it: all is read now, so that every
    /// secret knows the root before one is served.
    fn stir(&self, engine: &SharedEngine) {
        let stirred = engine.lock().secrets_mut().take_stirred();
        let sources = self.sources.iter().filter(|source| stirred.contains(source.name().as_str()));
        sources.for_each(|source| source.refresh());
    }
}

impl Lines {
    /// Has a store read again that is not believed.
    fn ask_again(&self) {
        self.newcomer.iter().for_each(|newcomer| newcomer.driver.relist());
    }
}

/// Runs until shutdown. A transaction may take long (all objects at the start): it gives its worker of the
/// runtime, which must have several, to the others for that time.
pub(crate) async fn run(
    engine: SharedEngine,
    mut lines: Lines,
    pulse: Pulse,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut silence = std::pin::pin!(sleep(SILENCE));
    let mut silent = true;
    let mut again = interval(newcomer::AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (deadline, in_doubt, spreading) = {
            let engine = engine.lock();
            (engine.deadline(), engine.doubt().is_some(), engine.secrets().is_spreading())
        };
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        // Shutdown first: on it the driver goes too, and its going is not to be taken for a fault. The watchdog before
        // all that may come without end.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            () = lines.watchdog.due() => {
                lines.watchdog.feed();
                continue;
            }
            event = lines.events.recv() => {
                let Some(event) = event else { anyhow::bail!("the store's driver has gone") };
                silent = false;
                let vetted = tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    vetted = lines.watchdog.fed(vet(lines.newcomer.as_ref(), &engine, event)) => vetted,
                };
                let Some(event) = vetted else { continue };
                pulse.begin();
                lines.feed.iter().for_each(|feed| feed.note(&event));
                block_in_place(|| engine.lock().on_event(event, Instant::now()));
                lines.feed.iter().for_each(|feed| feed.tell());
            }
            Some(command) = lines.commands.recv() => {
                pulse.begin();
                block_in_place(|| obey(&engine, command));
            }
            Some(told) = lines.secrets.told.recv() => {
                pulse.begin();
                block_in_place(|| engine.lock().on_secrets(told, Instant::now()));
                lines.secrets.stir(&engine);
            }
            Some(told) = lines.endpoints.recv() => {
                pulse.begin();
                block_in_place(|| engine.lock().on_endpoints(told, Instant::now()));
            }
            Some(made) = lines.made.recv() => {
                pulse.begin();
                block_in_place(|| engine.lock().on_made(made, Instant::now()));
            }
            Ok(()) = lines.secrets.confirmations.changed(), if spreading => {
                pulse.begin();
                block_in_place(|| engine.lock().on_confirmation(Instant::now()));
            }
            _ = again.tick(), if in_doubt => {
                lines.ask_again();
                continue;
            }
            () = &mut silence, if silent => {
                pulse.begin();
                silent = false;
                block_in_place(|| engine.lock().on_silence(Instant::now()));
            }
            () = due => {
                pulse.begin();
                block_in_place(|| engine.lock().on_deadline(Instant::now()));
            }
        }
        pulse.end();
        lines.progress.tell(&engine);
    }
}

/// Gives the event, if it is to be believed.
async fn vet(newcomer: Option<&Newcomer>, engine: &SharedEngine, event: SourceEvent) -> Option<SourceEvent> {
    match newcomer {
        Some(newcomer) => newcomer.vet(engine, event).await,
        None => Some(event),
    }
}

fn obey(engine: &SharedEngine, command: Command) {
    match command {
        Command::Intents(intents) => drop(engine.lock().on_intents(&intents, Instant::now())),
        // Whoever asked may have gone; it is done all the same.
        Command::Accept(tag, answer) => {
            let mut engine = engine.lock();
            let is_shown = tag.is_none_or(|tag| engine.held_tag() == Some(tag));
            drop(answer.send(is_shown.then(|| engine.accept(Instant::now()))));
        }
        Command::AcceptEndpoints(source, answer) => {
            let _ = answer.send(engine.lock().accept_endpoints(&source, Instant::now()));
        }
    }
}
