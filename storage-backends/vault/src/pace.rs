//! When things are done again: as every source does them, but slower at first, since a Vault that is busy limits everybody.

use std::time::Duration;

pub(crate) use biplane_source::pace::{Backoff, around, between};

/// The first delay after a failure.
const FIRST: Duration = Duration::from_millis(500);

/// Delays up to `max`.
pub(crate) fn backoff(max: Duration) -> Backoff {
    Backoff::starting(FIRST, max)
}
