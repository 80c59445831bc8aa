//! Endpoints from DNS: addresses and services behind names, looked up by the control plane.
//!
//! ```text
//!  watch ─▶ source ─▶ follow: one task a question ──▶ Complete | Failed
//!                       ▼
//!                     look: a question is one or more look-ups (addresses; services and their targets)
//!                       ▼
//!                     resolver: one look-up, aliases followed ─▶ the servers, one after the other
//!                       ▼
//!                     reply: what one answer says, or that it says nothing
//! ```
//!
//! What is guaranteed:
//!
//! - A name that does not exist, or has no such records, has no endpoints. Any other answer, and none, is a failure: what
//!   was known stands.
//! - A listing is whole: an answer that was cut off is asked for again by TCP, and if one target of a service cannot be
//!   looked up, nothing is told but that.
//! - However many watch, a question is asked once, when the records say that they are old. Whoever failed tries again for
//!   ever, with growing pauses.
//!
//! The hosts file is not looked at, and nothing is cached here beyond what is told.
#![forbid(unsafe_code)]

mod counters;
mod follow;
mod look;
mod options;
mod reply;
mod report;
mod resolver;
mod source;

pub use options::{DnsOptions, Servers};
pub use source::DnsSource;
