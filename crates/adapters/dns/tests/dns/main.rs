//! DNS as a source of endpoints, against a server of our own that speaks the protocol.

mod conformance;
mod harness;
mod names;
mod services;
