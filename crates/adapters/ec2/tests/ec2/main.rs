//! EC2 as a source of endpoints, against moto.

mod chain;
mod cloud;
mod conformance;
mod faults;
mod harness;
mod many;
mod policies;
mod proxy;
mod roles;
mod upstreams;
