//! Resources to Envoy protobufs: synchronous and pure.
//!
//! ```text
//! Upstream ───────────── upstream::translate ──────▶ Cluster + ClusterLoadAssignment
//! Secret ─────────────── secret::translate ────────▶ Secrets (certificate, validation context)
//! VirtualService + tables  route::virtual_service ─▶ RouteSet ──┐ route::virtual_host
//!                                                              ├─▶ VirtualHost bytes ── route::route_configuration ─▶ RouteConfiguration
//! Gateway + TLS of its services  listener::translate ─▶ Listener
//! ```
//!
//! Every function here is a function of its arguments and of what it asks a [`Lookup`] for. The
//! caller records those questions as dependencies, which is how one change recomputes only what it
//! touches. Nothing here keeps state, reads a clock, or does I/O; equal input gives equal bytes
//! ([`encode`]). At the edges, and never on the way from a change to the wire, [`json`] shows resources to
//! people, [`explain`] says which route takes a request, and [`rules`] what Envoy would refuse.
//!
//! A case in a `testdata` folder is YAML as users write it, its golden everything that comes out of it;
//! a real Envoy is asked whether it takes each of them (`tests/goldens`).
#![forbid(unsafe_code)]

pub mod descriptors;
pub mod encode;
pub mod explain;
pub mod json;
pub mod listener;
pub mod lookup;
pub mod names;
mod proto;
pub mod resource;
pub mod route;
pub mod rules;
pub mod secret;
mod tls;
pub mod upstream;

pub use lookup::Lookup;
pub use resource::{EnvoyName, EnvoyResource, EnvoyType, Output, Unknown};
