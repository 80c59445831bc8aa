//! Scalar types that cannot hold a wrong value, each parsed once at the boundary.

mod duration;
mod secret_string;
mod timestamp;

pub use duration::Duration;
pub use secret_string::{REDACTED, SecretString};
pub use timestamp::Timestamp;
