//! Machines of an EC2 that moto plays become endpoints, through Biplane, to a real Envoy.
//!
//! ```text
//!  World: the hand runs machines -> moto <-- FaultProxy <-- Biplane <-- Envoy <-- requests, Load
//! ```
//!
//! A machine's private address is one of loopback, on which an upstream of the test's listens.

mod callers;
mod lives;
mod machines;
mod many;
mod world;
