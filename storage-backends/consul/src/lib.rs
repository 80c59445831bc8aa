//! The config store in Consul KV: `<root>/config/<Kind>/<namespace>/<name>`, value YAML or JSON.
//!
//! ```text
//!  list   one consistent read of the whole prefix ──▶ view ──▶ Listing; its indexes are remembered
//!  watch  blocking queries, one a folder (or one in all, while the prefix is small)
//!           └──▶ view: what moved, what went, what belongs together ──▶ Changes
//!  commit one transaction, or several behind a manifest, or one plain write for a large value
//!  records, seat: below the root and beside `config/`; the seat is a lock of a session
//! ```
//!
//! What Consul is, and what follows from it:
//!
//! - It keeps no history, only the index at which each key last changed. So a watch begins at a listing that
//!   this instance has made, compares indexes with what it showed, and any other beginning is a resync.
//! - A blocking query answers with all that is below its prefix. So a large prefix is watched in parts, and only
//!   values whose index moved are decoded. A change in one part costs that part.
//! - Parts wake one by one. Batches that we write name their folders in a manifest of the same transaction, and
//!   are told together; another tool's transaction over several folders of a large prefix may be told in parts.
//! - A prefix that we may not read looks empty. So nothing shrinks before the sentinel, below the same prefix,
//!   has been read again with the strongest consistency, and an answer that says that it is filtered is an error.
//! - A prefix's index goes back when Consul forgets what was deleted, after 15 minutes or so, and when a backup is
//!   restored. The index over all keys goes back only then, so that one decides.
#![forbid(unsafe_code)]

mod commit;
mod failure;
mod list;
mod options;
mod place;
mod records;
mod remembered;
mod seat;
mod shared;
mod store;
mod url;
mod view;
mod watch;

pub use options::{ConsulOptions, Tuning};
pub use store::ConsulStore;
