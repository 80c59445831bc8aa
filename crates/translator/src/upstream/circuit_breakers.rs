//! Limits of one Envoy towards one upstream.

use biplane_core::resources::upstream::CircuitBreakers as User;
use envoy_types::pb::envoy::config::cluster::v3::CircuitBreakers;
use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;

use crate::proto::uint32;

/// The thresholds of default priority; routes of another priority do not exist.
pub(super) fn of(user: &User) -> CircuitBreakers {
    let thresholds = Thresholds {
        max_connections: user.max_connections.map(uint32),
        max_pending_requests: user.max_pending_requests.map(uint32),
        max_requests: user.max_requests.map(uint32),
        max_retries: user.max_retries.map(uint32),
        track_remaining: user.track_remaining.unwrap_or_default(),
        ..Thresholds::default()
    };
    CircuitBreakers { thresholds: vec![thresholds], ..CircuitBreakers::default() }
}
