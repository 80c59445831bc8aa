//! Signals: SIGTERM and SIGINT stop, SIGHUP reloads.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// Ends with 128 + SIGINT, as shells report it.
const INTERRUPTED: i32 = 130;

/// A token that the first SIGTERM or SIGINT cancels. A second one ends the process at once, for whoever
/// does not want to wait until all is drained.
pub(crate) fn stop_token() -> Result<CancellationToken, Failure> {
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(INTERRUPTED);
            }
            stop.cancel();
        }
    });
    Ok(token)
}

/// SIGHUP, which ends nothing from here on.
pub(crate) fn hang_up() -> Result<Signal, Failure> {
    listen(SignalKind::hangup())
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))
}
