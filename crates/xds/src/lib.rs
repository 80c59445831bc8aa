//! Snapshot, change journal, per-stream state machine and gRPC server for Envoy's xDS.
//!
//! ```text
//! publisher ─ Change ─▶ Fleets ─ Snapshot + journal ─▶ stream (no I/O) ─▶ server (tonic) ─▶ Envoy
//! ```
//!
//! This crate knows Envoy's types by name and nothing of what is in them, nor where they come from.
#![forbid(unsafe_code)]

mod fleets;
mod node;
mod resource;
mod snapshot;

pub use fleets::Fleets;
pub use node::{NodeStatus, Protocol, Rejection, TypeStatus};
pub use resource::{Resource, ResourceName, ResourceType, Version};
pub use snapshot::{Change, Presence, Snapshot};
