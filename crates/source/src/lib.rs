//! Everything that is read besides config: endpoints, services with tags, secrets, keys of those who sign tokens.
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
mod fixed_secrets;
mod keys;
pub mod pace;
mod secret;
mod service;
mod state;

use futures::stream::BoxStream;

pub use endpoint::{
    Credentials, Endpoint, EndpointRequest, EndpointSource, Health, Locality, Query, REFRESH, foreign,
};
pub use fixed::FixedEndpoints;
pub use fixed_secrets::FixedSecrets;
pub use keys::{FixedKeys, KeySource};
pub use secret::{Secret, SecretOptions, SecretRequest, SecretSource};
pub use service::{Instance, Service, ServiceName, ServiceSource};
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
    /// Of which kind the failure is.
    pub cause: Cause,
}

/// Kinds of failures, as far as those who read about them do different things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// It cannot be reached, or is not ready: time may mend it.
    #[default]
    Unavailable,
    /// It answers and refuses: an access rule or a credential needs mending.
    Denied,
    /// It does not know how to answer, or its answer makes no sense: a setting or an object needs mending.
    Invalid,
    /// It answers, and what it shows is not believed: time may tell, or a person.
    Suspect,
}

impl SourceError {
    /// An error without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, cause: Cause::Unavailable }
    }

    /// It answers and refuses.
    pub fn denied(message: impl Into<String>) -> Self {
        Self { cause: Cause::Denied, ..Self::new(message) }
    }

    /// It cannot be asked this, or answers nonsense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { cause: Cause::Invalid, ..Self::new(message) }
    }

    /// The same error with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
