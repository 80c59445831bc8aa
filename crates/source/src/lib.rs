//! Everything that is read besides config: endpoints, services with tags, secrets.
//!
//! All sources speak alike: [`Watch`] yields the whole state of one thing each time it may have
//! changed, as a [`Listing`] that is complete or failed and never partial. A complete listing of
//! nothing means that there is known to be nothing; a failure means that what was known still stands.
//! A source retries by itself, for ever, and its watch does not end.
//!
//! [`SourceState`] is what readiness and status see of any source, config stores included.
#![forbid(unsafe_code)]

pub mod conformance;
mod endpoint;
mod fixed;
mod secret;
mod service;
mod state;

use futures::stream::BoxStream;

pub use endpoint::{Endpoint, EndpointSource, Health};
pub use fixed::FixedEndpoints;
pub use secret::{Secret, SecretSource};
pub use service::{Service, ServiceName, ServiceSource};
pub use state::{Phase, SourceState};

/// What a source knows about one thing, each time that may have changed; the first item comes as soon
/// as anything is known, be it a failure.
pub type Watch<T> = BoxStream<'static, Listing<T>>;

/// One reading of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing<T> {
    /// This is all there is.
    Complete(T),
    /// It cannot be told; what was known before still stands.
    Failed(SourceError),
}

/// Why a source could not be read. The message never holds a secret, nor an answer's body verbatim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What failed and why.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

impl SourceError {
    /// An error without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same error with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
