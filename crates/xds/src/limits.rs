//! How much callers may have of the server, and how long they may take for nothing.
//!
//! Whoever has one node's credential, or a route to the port, must not be able to keep everybody else out. A fleet of thousands may
//! share one certificate and come from one address, by way of a load balancer or NAT: so what is bounded is the share of an
//! identity, and not that of an address. Half of the streams are left to others. A caller that has proved to be
//! one node needs no more than one node does.

use std::time::Duration;

/// The bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time, whoever has them and whatever has come of them.
    pub connections: usize,
    /// Streams at one time, over all connections.
    pub streams: usize,
    /// Streams at one time of callers that have proved to be the same.
    pub streams_per_identity: usize,
    /// The same of a caller that has proved to be one node: an Envoy has a stream for all types or one for each, and twice as
    /// many while it hands over to a new process of its own.
    pub streams_per_node: usize,
    /// How long a connection may take to its TLS, and then to its first stream. An Envoy connects because it has a
    /// stream to open.
    pub opening: Duration,
    /// How long a stream may take to its first request. An Envoy sends it with the headers; it may be several MiB, of
    /// thousands of Envoys at one time when a replica has gone.
    pub first_request: Duration,
    /// How long a connection that had a stream may be without one: more than the longest pause of an Envoy between two
    /// attempts, half a minute.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // More than there are streams, so that whoever only connects takes nobody's stream.
            connections: 25_000,
            streams: 20_000,
            streams_per_identity: 10_000,
            streams_per_node: 16,
            opening: Duration::from_secs(10),
            first_request: Duration::from_secs(15),
            idle: Duration::from_mins(1),
        }
    }
}
