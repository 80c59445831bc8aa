//! How the store is doing, as its driver tells.

use biplane_core::scalars::Timestamp;
use biplane_store::{Identity, Listing, Revision, StoreError};
use tokio::time::Instant;

/// How the store is doing.
#[derive(Clone, Debug, Default)]
pub struct StoreState {
    /// When it was last known to be as it is used.
    pub fresh: Option<Instant>,
    /// When the last run knew that.
    pub fresh_in_last_run: Option<Timestamp>,
    /// The revision that is used.
    pub revision: Option<Revision>,
    /// Which store it says it is.
    pub identity: Option<Identity>,
    /// Why it cannot be read now.
    pub failure: Option<Failure>,
    /// How many full readings there were.
    pub readings: u64,
}

/// Why a store cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub error: StoreError,
    /// Since when, without a good reading in between.
    pub since: Instant,
}

/// Why the first reading of a store is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Instant,
}

impl StoreState {
    /// It was read, and nothing of it is used.
    pub(super) fn doubted(&mut self, listing: &Listing) {
        self.identity = Some(listing.identity.clone());
        self.failure = None;
    }

    /// All of it was read.
    pub(super) fn read(&mut self, listing: &Listing, now: Instant) {
        self.identity = Some(listing.identity.clone());
        self.readings += 1;
        self.followed(listing.revision, now);
    }

    /// It is known up to this revision.
    pub(super) fn followed(&mut self, revision: Revision, now: Instant) {
        self.fresh = Some(now);
        self.revision = Some(revision);
        self.failure = None;
    }

    /// When it was last known to be as it is used, by the clock on the wall: a store whose watch is alive is
    /// as fresh as can be.
    pub fn read_at(&self, now: Instant, wall: Timestamp) -> Option<Timestamp> {
        let Some(fresh) = self.fresh else { return self.fresh_in_last_run };
        let age = if self.is_failing() { now.saturating_duration_since(fresh).as_secs() } else { 0 };
        Some(Timestamp(wall.0.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX))))
    }

    /// Whether it cannot be read now.
    pub const fn is_failing(&self) -> bool {
        self.failure.is_some()
    }
}
