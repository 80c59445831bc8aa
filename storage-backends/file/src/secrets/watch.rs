//! One watch: it tells what is news to its reader, and has the files read when it is time to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use biplane_source::{Listing, Secret, SourceError, Watch};
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::shared::{Held, Shared};
use super::slot::Told;

/// After a failure that is not the secret's own, for example because a disk hangs.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches one secret.
pub(super) fn watch(shared: Arc<Shared>, request: PathBuf, refresh: Duration) -> Watch<Option<Secret>> {
    let watching = Watching {
        asked: shared.asked.subscribe(),
        arrived: shared.inbox.subscribe(),
        shared,
        request,
        refresh,
        held: None,
        next_read: Instant::now(),
        told: None,
    };
    let next = |mut watching: Watching| async move { Some((watching.next().await, watching)) };
    futures::stream::unfold(watching, next).boxed()
}

/// Tells why, once, and never anything else: what was asked for does not get better.
pub(super) fn refusal(error: SourceError) -> Watch<Option<Secret>> {
    let told = futures::stream::once(std::future::ready(Listing::Failed(error)));
    told.chain(futures::stream::pending()).boxed()
}

struct Watching {
    shared: Arc<Shared>,
    request: PathBuf,
    refresh: Duration,
    held: Option<Held>,
    asked: watch::Receiver<u64>,
    arrived: watch::Receiver<u64>,
    next_read: Instant,
    told: Option<Told>,
}

impl Watching {
    async fn next(&mut self) -> Told {
        loop {
            let now = match self.step().await {
                Ok(()) => self.held.as_mut().map(Held::told),
                Err(error) => Some(Listing::Failed(error)),
            };
            let told = self.told.as_ref();
            let news = now.filter(|now| !told.is_some_and(|told| told.is_no_news(now)));
            if let Some(news) = news {
                self.told = Some(news.clone());
                return news;
            }
        }
    }

    /// Waits until the secret may have changed.
    async fn step(&mut self) -> Result<(), SourceError> {
        let Some(held) = &mut self.held else {
            sleep_until(self.next_read).await;
            self.next_read = Instant::now() + PAUSE;
            self.held = Some(self.shared.hold(self.request.clone()).await?);
            self.next_read = Instant::now() + self.refresh;
            return Ok(());
        };
        tokio::select! {
            () = held.changed() => return Ok(()),
            () = self.shared.due(&mut self.arrived) => return self.shared.advance().await,
            _ = self.asked.changed() => {}
            () = sleep_until(self.next_read) => {}
        }
        self.next_read = Instant::now() + self.refresh;
        self.shared.refresh(&self.request).await
    }
}
