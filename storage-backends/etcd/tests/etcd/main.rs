//! The etcd store against real servers: the conformance suite, its users and rights, and bad days.
#![forbid(unsafe_code)]

mod conformance;
mod harness;
