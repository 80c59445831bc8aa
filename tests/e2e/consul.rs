//! Configuration in a real Consul: its bad days are not the fleet's.
//!
//! ```text
//!  World (hosts with versions) --plain HTTP--> Consul <-- FaultProxy <-- Biplane <-- Envoy <-- Load, World::live
//! ```
//!
//! Each scenario does something to Consul, or to the way there, under traffic. Nobody who asks Envoy may notice;
//! `biplane status` must say what is wrong; and what was edited meanwhile must be live when it is over.

mod commands;
mod hands;
mod kills;
mod large;
mod link;
mod policies;
mod rights;
mod served;
mod wipes;
