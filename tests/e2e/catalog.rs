//! Services of a real Consul that become endpoints and routes, through Biplane, to a real Envoy.
//!
//! ```text
//!  World: a hand registers -> Consul <-- FaultProxy <-- Biplane <-- Envoy <-- requests, Load
//! ```

mod crowd;
mod endpoints;
mod faults;
mod mesh;
mod shown;
mod sidecars;
mod tags;
mod world;
