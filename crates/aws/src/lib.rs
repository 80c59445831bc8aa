//! What everything that talks to AWS needs: credentials from where AWS's own tools take them, the region, endpoints,
//! and signatures. It sends nothing but what getting credentials takes; calls of services are for those who make them.
//!
//! ```text
//!  variables, profiles, web identity, container, IMDSv2, a process
//!        |
//!        v
//!  Account --credentials--> CallerIdentity --sign--> SignedCallerIdentity --> Vault, which asks STS with it
//!        |
//!        +---credentials--> QueryCall --sign--> SignedCall --> EC2, Auto Scaling, STS
//! ```
//!
//! Secrets are in memory that is overwritten when it is given back, `Debug` shows none, and what AWS's crates would
//! log on the way is not logged: at the level of traces they show tokens.
#![forbid(unsafe_code)]

mod account;
mod caller_identity;
mod credentials;
mod error;
mod query;
mod sign;

pub use account::{Account, Settings};
pub use caller_identity::{CallerIdentity, SignedCallerIdentity};
pub use credentials::Credentials;
pub use error::Error;
pub use query::{QueryCall, Service, SignedCall};

/// The region in which AWS's global services sign, and that Vault expects unless it was told of another.
pub const DEFAULT_REGION: &str = "us-east-1";
