//! The server as callers see it: by a client that sends bytes and reads bytes and holds every answer against
//! the OpenAPI document, and by the real client of `biplane-admin-api`.
#![expect(clippy::result_large_err, reason = "the fake fails as the real one does")]

mod access;
mod audit;
mod contract;
mod explain;
mod limits;
mod openapi;
mod plane;
mod probes;
mod raw;
mod resources;
mod server;
mod shelf;
mod transports;
mod watch;
