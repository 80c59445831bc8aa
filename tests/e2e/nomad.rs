//! Jobs of a real Nomad that become routes by their tags, through Biplane, to a real Envoy.
//!
//! ```text
//!  World: jobs -> Nomad <-- FaultProxy <-- Biplane <-- Envoy <-- requests, Load
//! ```
//!
//! The store holds a gateway and nothing else: virtual services and upstreams come from tags.

mod access;
mod arrivals;
mod canaries;
mod deploys;
mod failures;
mod forgotten;
mod jobs;
mod owners;
mod regions;
mod world;
