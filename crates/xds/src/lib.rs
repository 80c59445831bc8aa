//! The xDS server of Biplane: it holds what every fleet of Envoys ought to have and brings each
//! connected Envoy there, safely and with as few bytes as there are changes.
//!
//! ```text
//! control plane ─ Change ─▶ Fleets ─ Snapshot ─▶ Stream (no I/O) ─ Response ─▶ session ─▶ Envoy
//!                                                 ▲                              │
//!                                                 └────────── ACK, NACK ─────────┘
//! ```
//!
//! * [`resource`] is the unit: an encoded Envoy resource, its version and what it names.
//! * [`snapshot`] is what a fleet ought to have: persistent maps and a journal of what changed.
//! * [`fleets`] is the handle that the control plane publishes into and streams read from.
//! * [`stream`] decides what one client is sent and when. It does no I/O and owns no clock.
//! * [`wire`] is the protocol's messages; [`server`] puts streams on gRPC.
//! * [`door`] is who gets one: whoever wires the server says who is let in and to which fleet. [`limits`] is how many.
//!
//! The crate knows resources by type and name only: nothing here looks into a body, and no other
//! crate of Biplane is known to it.
#![forbid(unsafe_code)]

mod audit;
mod codec;
mod connection;
pub mod door;
pub mod fleets;
pub mod limits;
pub mod metrics;
pub mod resource;
mod seats;
pub mod server;
mod session;
pub mod snapshot;
mod standing;
pub mod status;
pub mod stream;
mod usage;
pub mod wire;

pub use door::{Caller, Doorkeeper, Handshakes, Membership, Pass, ProvedBy, Refusal};
pub use fleets::{Fleets, Freshen};
pub use limits::Limits;
pub use metrics::Metrics;
pub use resource::{Resource, ResourceName, ResourceType, Version};
pub use server::{ServeError, ServerOptions, serve};
pub use snapshot::{Change, Snapshot};
pub use status::{NodeIdentity, NodeStatus, Protocol, Rejection, TypeStatus};
