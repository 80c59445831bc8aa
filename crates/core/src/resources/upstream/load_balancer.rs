//! How requests spread over the endpoints of an upstream.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Duration;

/// How requests spread; one of the five algorithms at most, default round robin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LoadBalancerConfig {
    /// One after the other.
    pub round_robin: Option<RoundRobin>,
    /// The least busy of a few picked at random.
    pub least_request: Option<LeastRequest>,
    /// At random.
    pub random: Option<Random>,
    /// Consistent hashing on a ring.
    pub ring_hash: Option<RingHash>,
    /// Consistent hashing by Maglev's table.
    pub maglev: Option<Maglev>,
    /// Below this share of healthy endpoints Envoy uses all of them; in percent, default 50, 0: never.
    pub healthy_panic_threshold: Option<f64>,
    /// Collects endpoint updates for this long; Envoy's default 1 s, 0s: none.
    pub update_merge_window: Option<Duration>,
    /// Hashes host names instead of addresses.
    pub use_hostname_for_hashing: Option<bool>,
    /// Closes connections when the set of hosts changes.
    pub close_connections_on_host_set_change: Option<bool>,
}

/// One after the other.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RoundRobin {
    /// Raises the share of new endpoints slowly.
    pub slow_start_config: Option<SlowStart>,
}

/// The least busy of a few picked at random.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LeastRequest {
    /// How many to pick; default 2.
    pub choice_count: Option<u32>,
    /// Raises the share of new endpoints slowly.
    pub slow_start_config: Option<SlowStart>,
}

/// At random. It has no fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Random {}

/// Consistent hashing by Maglev's table. It has no fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Maglev {}

/// Consistent hashing on a ring.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RingHash {
    /// The size of the ring.
    pub ring_hash_config: Option<RingHashConfig>,
}

/// The size of the ring.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RingHashConfig {
    /// Least entries; Envoy's default 1024.
    pub minimum_ring_size: Option<u64>,
    /// Most entries; Envoy's default 8 Mi.
    pub maximum_ring_size: Option<u64>,
}

/// Raises the share of new endpoints slowly.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SlowStart {
    /// How long an endpoint counts as new.
    pub slow_start_window: Option<Duration>,
    /// The curve; 1.0: a line.
    pub aggression: Option<f64>,
    /// The least share of a new endpoint, in percent; Envoy's default 10.
    pub min_weight_percent: Option<f64>,
}
