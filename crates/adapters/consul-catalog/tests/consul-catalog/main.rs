//! The catalog of real Consuls as a source: the conformance suites, and bad days.
#![forbid(unsafe_code)]

mod access;
mod agents;
mod canary;
mod conformance;
mod datacenters;
mod harness;
mod hints;
mod instances;
mod lives;
mod mesh;
mod queries;
