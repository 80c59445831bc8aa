//! Endpoints and services from Nomad, with their real health.
//!
//! ```text
//!  watch ─▶ source ─▶ space: one a namespace of a region, one task of its own ──▶ Complete | Failed
//!                       │  ▲
//!     reads             │  │ hints
//!     ▼                 ▼  │
//!  reading: registrations, allocations,      events: one stream; a gap, an end or silence
//!  what the job says, checks ─▶ health       means that everything is looked at again
//!     ▼
//!  client: one request, one deadline ─▶ agent
//! ```
//!
//! What is guaranteed:
//!
//! - Namespaces are read by their names, and a list is followed to its last page. A token that has lost a namespace is
//!   a failure of that namespace alone, and what was known of it stands.
//! - An instance is healthy if its checks pass now; what has not passed yet gets nothing while what it replaces still
//!   serves; what is to stop is told as draining until it has.
//! - Servers that have forgotten something, or are others than before, are not believed at once.
//! - Nothing costs a connection a service: one stream a namespace says what to look at.
//! - The token is in no error, in no status and in no log. Every question has a deadline; whoever failed tries again for
//!   ever, with growing pauses.
#![forbid(unsafe_code)]

mod api;
mod client;
mod counters;
mod health;
mod instance;
mod options;
mod reading;
mod report;
mod resolve;
mod service;
mod source;
mod space;

pub use options::{Address, NomadOptions, Tls, Token, Tuning};
pub use source::NomadSource;
