//! Secrets from Vault and OpenBao: stored values, certificates and credentials of AWS, watched for as long as somebody needs them.
//!
//! ```text
//!  watch ── kv: read, compare ───────────────────▶ Complete(Some | None) | Failed
//!        ── pki: make a key, have it signed ─────▶
//!        ── aws: have credentials made, renew ───▶
//!   │
//!   ▼
//!  vault: ask ── the session's token ──▶ client: one request, one deadline ──▶ server
//!   │    ▲
//!   │    └── session: one task that logs in, renews and logs in again, for ever
//!   └── 403: is the token dead? Then with another one, once
//! ```
//!
//! What is guaranteed:
//!
//! - An absence is told only where the engine is there and says so. A sealed, unreachable or unwilling server and a
//!   missing mount are failures: what was known stands.
//! - A version that is lower than the one served is the answer of a replica that is behind, and is ignored.
//! - The token, credentials and values are in memory that is wiped, where that memory is ours: what the HTTP client and
//!   the JSON parser keep while they work is not. None of it is in an error, in status or in a log.
//! - Every question has a deadline; whoever failed tries again for ever, with growing pauses.
#![forbid(unsafe_code)]

mod auth;
mod aws;
mod bucket;
mod client;
mod counters;
mod kv;
mod lease;
mod mounts;
mod news;
mod options;
mod pace;
mod pki;
mod report;
mod session;
mod source;
mod time;
mod told;
mod vault;

pub use counters::Counters;
pub use options::{Address, Auth, RoleId, StsRegion, Tls, Tuning, VaultOptions};
pub use source::VaultSecrets;
