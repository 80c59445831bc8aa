//! Several Biplanes on one store: Envoys move between them and are resent nothing.
//!
//! ```text
//!            +-- Biplane 0 <--+ door 0
//!  etcd <----+                +-------- Envoy: goes where a door is open
//!            +-- Biplane 1 <--+ door 1
//! ```
//!
//! All replicas serve; the one that leads also writes status and history. Nothing that happens to one of them, or to
//! its way to the store, may show at an Envoy.

mod behind;
mod consul;
mod crowd;
mod leaders;
mod moves;
pub(crate) mod plant;
mod writes;
