//! The wall clock, for records that people read. Nothing decides by it alone.

use std::time::SystemTime;

use biplane_core::scalars::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
