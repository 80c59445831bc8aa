//! The Nomad source against a real Nomad, whose tasks really run, pass and fail.

mod canary;
mod conformance;
mod deploys;
mod doubt;
mod figures;
mod gaps;
mod harness;
mod links;
mod places;
mod rights;
