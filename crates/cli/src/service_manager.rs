//! What systemd is told. Without one (`NOTIFY_SOCKET` is not set) nothing happens.

use sd_notify::NotifyState;
use tracing::warn;

/// READY=1: the addresses are bound, whatever the stores are doing. A store that is down must not
/// make the manager take us for broken.
pub(crate) fn ready() {
    notify(NotifyState::Ready);
}

/// STOPPING=1: the process begins to stop.
pub(crate) fn stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "service manager not told");
    }
}
