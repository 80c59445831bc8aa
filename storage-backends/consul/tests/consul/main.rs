//! The Consul store against real Consuls: the conformance suite, and bad days.
#![forbid(unsafe_code)]

mod access;
mod answers;
mod batches;
mod conformance;
mod gloo;
mod harness;
mod histories;
mod independent;
mod links;
mod parts;
mod random;
mod seat;
