//! The config store in etcd (3.4 and later), read and written through its v3 API.
//!
//! ```text
//!  list   ── marks (sentinel, manifest) ── pages at one revision ─────────────▶ Listing
//!  watch  ── tail (one etcd watch, asked for progress) ── feed (what it means) ▶ Changes | Resync
//!  commit ── plan ── one transaction, or: open manifest, steps, close ────────▶ Revision
//!            members: one connection a member, one of them in use
//! ```
//!
//! What is guaranteed:
//!
//! - A listing is read at one revision and holds the sentinel of that store, or there is none.
//! - A watch tells what happened at one revision in one piece. When the sentinel goes, nothing that went
//!   with it is told. A compaction, another store's history and a progress that goes backwards end it with a
//!   resync; a link that is silent for longer than [`EtcdOptions::liveness`] ends it with an error.
//! - While a batch that takes several transactions is being written, readers see what was before it; how long
//!   they wait for its end is bounded (see [`biplane_store::manifest`]).
//! - A write is made under its conditions, the sentinel's presence, and the knowledge that no batch is being
//!   written, all checked by etcd in the same transaction. The leader's writes are checked against its lease.
//! - A member that does not answer is left for the next one. Reads are asked of each member once; a
//!   write is sent once, to a member that has answered a moment ago.
//! - Every call has a deadline, and nothing is tried again beyond that: the driver does.
//!
//! Rights: a writer's role needs `readwrite` on the prefix `<root>/`, a reader's needs `read` on `<root>/config/`.
//!
//! What cannot be: a writer other than Biplane that needs several transactions for one edit shows each of
//! them as it happens.
#![forbid(unsafe_code)]

mod commit;
mod error;
mod feed;
mod list;
mod members;
mod options;
mod pace;
mod pages;
mod place;
mod raw;
mod records;
mod seat;
mod store;
mod tail;
mod watch;

pub use options::{EtcdOptions, Password, Tls, User};
pub use store::EtcdStore;
