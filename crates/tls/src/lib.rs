//! A server's TLS: its certificate and key, and the authority of its clients, each replaced while it serves.
//!
//! ```text
//! files ─ Watched ─▶ ServerTls: read, checked as a whole ─▶ the next handshake
//! Vault ─ replace ─▶                                     └▶ changes: who was let in before is looked at again
//! ```
//!
//! Invariant: what does not work never replaces what does. A certificate without its key, half a file, or a file that
//! is gone is said once in the log, and the last that worked stays in use. Connections that are open are not touched.
#![forbid(unsafe_code)]

mod files;
mod material;
mod server;
mod watched;

pub use files::Stamps;
pub use material::{Clients, Part, Pem, TlsError, TlsFiles};
pub use server::ServerTls;
pub use watched::Watched;
