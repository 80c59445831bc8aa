//! What only one replica may do: write Biplane's own records into the store that all of them share.
//!
//! ```text
//! campaign ─▶ seat ─▶ status and history, what is old of them removed, each write fenced ─▶ seat lost ─▶ campaign ...
//! ```
//!
//! No Envoy depends on any of it: a store that cannot be written is told ([`Board`]) and tried again for
//! ever, and a replica that does not lead serves like one that does.

mod board;
mod campaign;
mod feed;
mod history;
mod old_history;
mod old_intents;
mod record_writer;
mod status;
mod status_records;

use std::sync::Arc;
use std::time::SystemTime;

use biplane_store::{Records, sentinel};
use tokio::sync::watch;

use crate::run_loop::Activity;
use crate::shared::SharedEngine;
pub(crate) use board::{Board, Duty, Role};
pub(crate) use campaign::run;
pub(crate) use feed::Feed;
pub(crate) use status_records::SUMMARY;

/// What a replica needs to lead.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    /// The source whose status is written.
    pub(crate) source: Arc<str>,
    /// Where it is written.
    pub(crate) records: Arc<dyn Records>,
    /// What there is to say.
    pub(crate) engine: SharedEngine,
    /// When there may be something new to say.
    pub(crate) activity: watch::Receiver<Activity>,
    /// The versions of objects as they come.
    pub(crate) feed: Arc<Feed>,
    /// What is known of the leadership.
    pub(crate) board: Board,
    /// What this replica is called: host, process and a random part, since neither of those is unique.
    pub(crate) name: Arc<str>,
}

/// A name for this replica.
pub(crate) fn replica_name() -> Arc<str> {
    // A unit that may not see the kernel's files says it itself.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    let host = if host.trim().is_empty() { "unknown" } else { host.trim() };
    let random = sentinel::random_id();
    format!("{host}:{}:{}", std::process::id(), &random[..8]).into()
}

fn now() -> biplane_core::scalars::Timestamp {
    crate::status::timestamp(SystemTime::now())
}

#[cfg(test)]
mod tests;
