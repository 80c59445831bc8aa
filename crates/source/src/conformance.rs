//! What every source must do, for sources here and elsewhere: one suite a trait, one named test a rule.
//!
//! A source's tests write a harness over the real thing (a server, files) and let a macro make the tests:
//! [`endpoint_conformance_tests!`](crate::endpoint_conformance_tests),
//! [`service_conformance_tests!`](crate::service_conformance_tests) or
//! [`secret_conformance_tests!`](crate::secret_conformance_tests). The harness changes things by the means that
//! users have, never through the source under test. Rules wait for conditions, and fail with what they saw last.

pub mod endpoint;
pub mod secret;
pub mod service;

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::timeout;

use crate::{Listing, Watch};

pub use endpoint::{EndpointHarness, EndpointHealthHarness};
pub use secret::SecretHarness;
pub use service::ServiceHarness;

/// Longer than any source needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the watch tells next.
async fn next<T>(watch: &mut Watch<T>) -> Listing<T> {
    timeout(PATIENCE, watch.next()).await.expect("a source answers in time").expect("a watch does not end")
}
