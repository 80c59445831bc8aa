//! The Consul store against real Consuls: the conformance suite, and bad days.
#![forbid(unsafe_code)]

mod conformance;
mod harness;
