//! What status sees of the source: how its root is, and which keys everybody may read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use biplane_source::{Phase, SourceError, SourceState};
use tokio::sync::watch;
use tokio::time::Instant;

/// The name under which status shows private keys that every user of the machine may read.
const EXPOSED: &str = "keysReadableByEverybody";

/// The root could be looked at, or why not.
pub(super) fn note(state: &watch::Sender<SourceState>, failure: Option<SourceError>) {
    let now = Instant::now();
    state.send_if_modified(|state| match failure {
        Some(error) if state.phase == Phase::Failed && state.last_error.as_ref() == Some(&error) => false,
        None if state.phase == Phase::Complete => false,
        Some(error) => {
            state.failed(error, now);
            true
        }
        None => {
            state.complete(now);
            true
        }
    });
}

/// All such keys, as of now.
pub(super) fn show_exposed(state: &watch::Sender<SourceState>, paths: &BTreeSet<&PathBuf>) {
    let shown = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let shown = Some(shown).filter(|shown| !shown.is_empty());
    state.send_if_modified(|state| {
        let is_news = state.details.get(EXPOSED) != shown.as_ref();
        if is_news {
            state.details.remove(EXPOSED);
            state.details.extend(shown.map(|shown| (EXPOSED.to_owned(), shown)));
        }
        is_news
    });
}
