//! Configuration in a real etcd: its bad days are not the fleet's.
//!
//! ```text
//!  World (hosts with versions) --etcdctl--> Etcd <-- FaultProxy <-- Biplane <-- Envoy <-- Load, World::live
//! ```
//!
//! Each scenario does something to etcd, or to the way there, under traffic. Nobody who asks Envoy may notice;
//! `biplane status` must say what is wrong; and what was edited meanwhile must be live when it is over.

mod backups;
mod full;
mod kills;
mod link;
mod members;
mod rights;
pub(crate) mod served;
mod users;
mod wipes;
pub(crate) mod world;
