//! The periodic full list behind a watch's back. Watches are hints: kernels, servers and networks
//! have all been seen to lose events.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use super::{DriverOptions, list};
use crate::backoff::{jittered, random};
use crate::error::StoreError;
use crate::metrics::StoreMetrics;
use crate::object::Listing;
use crate::store::Store;

/// Waits, lists, lets the watch catch up, asks for the comparison, and waits again.
pub(super) struct Audit {
    store: Arc<dyn Store>,
    options: DriverOptions,
    metrics: Arc<StoreMetrics>,
    phase: Phase,
}

/// What the driver is to do now.
pub(super) enum Step {
    /// The list begins: from here on remember what the watch tells.
    Began,
    /// The watch has had time to catch up: compare.
    Compare(Listing),
    /// The store cannot be listed.
    Failed(StoreError),
}

enum Phase {
    Waiting { until: Instant },
    Listing(BoxFuture<'static, Result<Listing, StoreError>>),
    CatchingUp { listing: Option<Listing>, until: Instant },
}

impl Audit {
    pub(super) fn new(store: Arc<dyn Store>, options: DriverOptions, metrics: Arc<StoreMetrics>) -> Self {
        let phase = waiting(&options);
        Self { store, options, metrics, phase }
    }

    /// The next step. May be dropped at its await: the phase changes only after it.
    pub(super) async fn step(&mut self) -> Step {
        loop {
            match &mut self.phase {
                Phase::Waiting { until } => {
                    sleep_until(*until).await;
                    self.phase = Phase::Listing(self.list());
                    return Step::Began;
                }
                Phase::Listing(list) => match list.await {
                    Ok(listing) => {
                        let until = Instant::now() + self.options.audit_grace;
                        self.phase = Phase::CatchingUp { listing: Some(listing), until };
                    }
                    Err(error) => {
                        self.phase = waiting(&self.options);
                        return Step::Failed(error);
                    }
                },
                Phase::CatchingUp { listing, until } => {
                    sleep_until(*until).await;
                    let listing = listing.take().expect("a phase is left when its listing is taken");
                    self.phase = waiting(&self.options);
                    return Step::Compare(listing);
                }
            }
        }
    }

    fn list(&self) -> BoxFuture<'static, Result<Listing, StoreError>> {
        let (store, options, metrics) = (self.store.clone(), self.options.clone(), self.metrics.clone());
        async move { list(&store, &options, &metrics).await }.boxed()
    }
}

fn waiting(options: &DriverOptions) -> Phase {
    Phase::Waiting { until: Instant::now() + jittered(options.audit_period, random()) }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("store", &self.store).finish_non_exhaustive()
    }
}
