//! The complete reading: one consistent answer for the whole prefix, sentinel and manifest among it.

use std::time::Duration;

use biplane_consul_client::{Query, QueryMeta};
use biplane_store::{Listing, Revision, StoreError};
use tokio::time::{Instant, timeout};

use crate::failure::whole;
use crate::shared::Shared;
use crate::view::{Stop, View};

/// Everything that the store holds. While somebody writes a batch it waits for the end, for a bounded time.
pub(crate) async fn list(shared: &Shared) -> Result<Listing, StoreError> {
    loop {
        // Before the content: what lies between this index and the content's changed nothing below the prefix.
        let global = shared.global_index().await?;
        let (mut view, meta) = read(shared).await?;
        let wait = view.open_manifest().map(|(manifest, index)| (shared.patience.left(manifest), index));
        match wait {
            Some((patience, index)) if !patience.is_zero() => closed(shared, index, patience).await?,
            _ => {
                view.give_up();
                return remember(shared, view, revision(shared, global, meta.index), meta.index);
            }
        }
    }
}

async fn read(shared: &Shared) -> Result<(View, QueryMeta), StoreError> {
    let (config, eyes) = (shared.place.config(""), shared.client.identities());
    let answer = shared.client.kv_recurse(&config, &Query::consistent()).await;
    let answer = answer.map_err(|error| shared.failure(error))?;
    whole(&shared.place, &answer.meta)?;
    shared.same_eyes(eyes).await?;
    // Nothing there, or nothing that we may see: only a mark could tell one from the other.
    let entries = answer.value.ok_or_else(|| shared.unmarked())?;
    let mut view = View::new(shared.place.clone());
    let parsed = entries.parse().map_err(|error| shared.failure(error))?;
    view.take("", parsed, Instant::now()).map_err(|stop| error(shared, stop))?;
    Ok((view, answer.meta))
}

/// The prefix's own index may go back within one history, the one over all keys does not. That one moves with every
/// write of anybody's, though: where nothing has changed below the prefix, the last listing's will do.
fn revision(shared: &Shared, global: u64, prefix: u64) -> Revision {
    let unchanged = shared.memory.unchanged(prefix).filter(|known| known.0 <= global);
    unchanged.unwrap_or(Revision(global.max(prefix)))
}

fn remember(shared: &Shared, view: View, revision: Revision, prefix: u64) -> Result<Listing, StoreError> {
    let (listing, remembered) =
        view.into_listing(revision, prefix, Instant::now()).map_err(|stop| error(shared, stop))?;
    shared.memory.keep(remembered);
    Ok(listing)
}

/// Waits until the manifest is no longer what it was at `index`.
pub(crate) async fn closed(shared: &Shared, index: u64, patience: Duration) -> Result<(), StoreError> {
    let key = shared.place.manifest();
    let query = Query::after(index, patience);
    // Consul adds to the time that it waits; we do not.
    match timeout(patience, shared.client.kv_get(&key, &query)).await {
        Ok(answer) => answer.map(drop).map_err(|error| shared.failure(error)),
        Err(_) => Ok(()),
    }
}

fn error(shared: &Shared, stop: Stop) -> StoreError {
    match stop {
        Stop::Failed(error) => error,
        Stop::Resync | Stop::Unmarked => shared.unmarked(),
    }
}
