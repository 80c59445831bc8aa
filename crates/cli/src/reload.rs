//! What SIGHUP does: the settings are read again and checked, then the store is, and the service manager hears what became
//! of it.
//!
//! Invariant: a reload takes nothing away. Settings that are wrong change nothing; an object with a mistake stays as it
//! was; and a setting that takes a restart is named and waits for it.

use std::sync::Arc;

use biplane_control_plane::Reload;
use tokio::signal::unix::Signal;
use tracing::{info, warn};

use crate::config::{self, Flags, GlobalFlags, Loaded, Shown};
use crate::logging::LogLevel;
use crate::service_manager::Systemd;

/// The setting that a reload applies.
const LOG: &str = "log";

/// What a reload compares with and changes.
pub(crate) struct Reloader {
    global: GlobalFlags,
    flags: Flags,
    began_with: Vec<Shown>,
    log: LogLevel,
    store: Reload,
    manager: Arc<Systemd>,
}

impl Reloader {
    /// For a process that has started with these flags and settings.
    pub(crate) fn new(
        (global, flags): (&GlobalFlags, &Flags),
        began_with: Vec<Shown>,
        log: LogLevel,
        store: Reload,
        manager: Arc<Systemd>,
    ) -> Self {
        Self { global: global.clone(), flags: flags.clone(), began_with, log, store, manager }
    }

    /// Reloads at each signal, for as long as the process runs.
    pub(crate) async fn run(self, mut hang_up: Signal) {
        while hang_up.recv().await.is_some() {
            Systemd::reloading();
            let outcome = match self.once().await {
                Ok(outcome) => {
                    info!(outcome, "reloaded");
                    outcome
                }
                Err(why) => {
                    warn!(why, "reload refused, what was in use stays in use");
                    format!("reload refused: {why}")
                }
            };
            self.manager.reloaded(&outcome);
        }
    }

    /// Says what is left to do, or why nothing, or not all, is in use.
    async fn once(&self) -> Result<String, String> {
        let loaded = config::load(&self.global, &self.flags.given(), &config::variables())
            .map_err(|failure| failure.to_string())?;
        self.log.set(&loaded.config.log)?;
        self.store.read_now().await?;
        let waiting = self.changed(&loaded);
        Ok(if waiting.is_empty() {
            String::new()
        } else {
            format!("changed, takes a restart: {}", waiting.join(", "))
        })
    }

    fn changed(&self, loaded: &Loaded) -> Vec<&'static str> {
        let now = loaded.shown();
        let pairs = self.began_with.iter().zip(&now);
        let changed = pairs.filter(|(then, now)| then.value != now.value && now.name != LOG);
        changed.map(|(_, now)| now.name).collect()
    }
}
