//! What is told to whoever supervises the process from outside, such as systemd: that it serves, that it is alive,
//! and in one line how it stands.
//!
//! Invariant: no word of it waits for a store. A store that is down must not have us restarted, which would help nobody.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Gate};
use crate::run_loop::Activity;
use crate::shared::SharedEngine;

/// Changes that come faster are told together.
const PAUSE: Duration = Duration::from_secs(1);

/// Whoever supervises the process from outside. What it is told it takes at once, or loses.
pub trait ServiceManager: fmt::Debug + Send + Sync {
    /// After which silence it takes the process for hung; `None`: never.
    fn patience(&self) -> Option<Duration>;
    /// The addresses are bound and the last good configuration is loaded.
    fn ready(&self);
    /// The core loop goes round.
    fn alive(&self);
    /// How the process stands, in one line.
    fn standing(&self, line: &str);
}

/// Nobody supervises it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nobody;

impl ServiceManager for Nobody {
    fn patience(&self) -> Option<Duration> {
        None
    }

    fn ready(&self) {}

    fn alive(&self) {}

    fn standing(&self, _: &str) {}
}

/// Tells how the process stands whenever that has changed, until shutdown.
pub(crate) async fn tell_standing(
    manager: Arc<dyn ServiceManager>,
    engine: SharedEngine,
    mut activity: watch::Receiver<Activity>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut told = String::new();
    let telling = async {
        loop {
            let line = block_in_place(|| standing(&engine.lock()));
            if line != told {
                manager.standing(&line);
                told = line;
            }
            if activity.changed().await.is_err() {
                return;
            }
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        () = telling => {
            shutdown.cancelled().await;
            Ok(())
        }
    }
}

/// `serving 1 fleet, 12 objects; 1 error: see biplane check`
fn standing(engine: &Engine) -> String {
    let objects: usize = engine.graph().counts().values().sum();
    let fleets = engine.graph().fleet_names().len();
    let count = engine.count_reports();
    let held = engine.guard().held().len();
    let mut parts = vec![serving(engine, fleets, objects)];
    if let Some(failure) = &engine.store().failure {
        parts.push(format!("the store cannot be read: {}", failure.error));
    }
    if engine.guard().suspicion().is_some() || engine.doubt().is_some() {
        parts.push(format!("the store is not believed, {} held", plural(held, "removal")));
    }
    if count.errors > 0 {
        parts.push(format!("{}: see biplane check", plural(count.errors, "error")));
    }
    parts.join("; ")
}

fn serving(engine: &Engine, fleets: usize, objects: usize) -> String {
    let what = format!("{}, {}", plural(fleets, "fleet"), plural(objects, "object"));
    if !engine.fleets().is_open() {
        let awaited = engine.awaited_sources();
        let awaited = if awaited.is_empty() { "the store".to_owned() } else { awaited.join(", ") };
        return format!("waiting for {awaited}");
    }
    match engine.gate() {
        Gate::Restored => format!("serving the last good configuration from disk ({what})"),
        Gate::Waiting | Gate::Open => format!("serving {what}"),
    }
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
