//! The etcd store against real servers: the conformance suite, its users and rights, and bad days.
#![forbid(unsafe_code)]

mod access;
mod batches;
mod conformance;
mod encryption;
mod harness;
mod history;
mod links;
mod members;
mod seat;
mod sizes;
