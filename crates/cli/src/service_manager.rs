//! What systemd is told: readiness, signs of life, and in one line how the process stands and what became of the last
//! reload. Without one (`NOTIFY_SOCKET` is not set) nothing happens.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use biplane_control_plane::ServiceManager;
use sd_notify::NotifyState;
use tracing::warn;

use crate::output::one_line;

/// systemd, or whoever else listens on `NOTIFY_SOCKET`.
#[derive(Debug, Default)]
pub(crate) struct Systemd {
    words: Mutex<Words>,
}

/// Of what the status line is made.
#[derive(Debug, Default)]
struct Words {
    standing: String,
    reload: String,
}

impl Words {
    fn line(&self) -> String {
        let parts: Vec<_> = [&self.reload, &self.standing]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect();
        one_line(&parts.join("; "))
    }
}

impl ServiceManager for Systemd {
    fn patience(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }

    fn ready(&self) {
        notify(&[NotifyState::Ready]);
    }

    fn alive(&self) {
        notify(&[NotifyState::Watchdog]);
    }

    fn standing(&self, line: &str) {
        let status = self.changed(|words| line.clone_into(&mut words.standing));
        notify(&[NotifyState::Status(&status)]);
    }
}

impl Systemd {
    /// A reload begins. Managers since systemd 253 take no reload without the time.
    pub(crate) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "service manager not told of a reload"),
        }
    }

    /// It has ended; `outcome` stays in the status until the next one.
    pub(crate) fn reloaded(&self, outcome: &str) {
        let status = self.changed(|words| outcome.clone_into(&mut words.reload));
        notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    fn changed(&self, change: impl FnOnce(&mut Words)) -> String {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut words);
        words.line()
    }
}

/// The process begins to stop.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "service manager not told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_reload_stays_in_the_status_until_the_next_one() {
        let systemd = Systemd::default();
        systemd.standing("serving 1 fleet");
        systemd.reloaded("reload refused:\nno");
        systemd.standing("serving 2 fleets");
        assert_eq!(systemd.changed(|_| ()), "reload refused: no; serving 2 fleets");
        systemd.reloaded("");
        assert_eq!(systemd.changed(|_| ()), "serving 2 fleets");
    }
}
