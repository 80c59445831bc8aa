//! The server as clients see it: rule by rule without sockets, at random against a model, and over gRPC.

mod door;
mod harness;
mod limits;
mod model;
mod rules;
mod socket;
mod wire;
