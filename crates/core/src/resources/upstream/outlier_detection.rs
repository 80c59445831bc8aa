//! Passive health checks: endpoints that fail requests leave for a while. Defaults are Envoy's.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Duration;

/// When endpoints are ejected, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct OutlierDetection {
    /// 5xx answers in a row; default 5.
    pub consecutive5xx: Option<u32>,
    /// Time between analyses; default 10 s.
    pub interval: Option<Duration>,
    /// First ejection time, which grows with each; default 30 s.
    pub base_ejection_time: Option<Duration>,
    /// Most endpoints ejected at once, in percent; default 10.
    pub max_ejection_percent: Option<u32>,
    /// Chance that `consecutive5xx` ejects, in percent; default 100.
    pub enforcing_consecutive5xx: Option<u32>,
    /// Chance that the success rate ejects, in percent; default 100.
    pub enforcing_success_rate: Option<u32>,
    /// Hosts needed for the success rate; default 5.
    pub success_rate_minimum_hosts: Option<u32>,
    /// Requests needed for the success rate; default 100.
    pub success_rate_request_volume: Option<u32>,
    /// Standard deviations below the mean, times 1000; default 1900.
    pub success_rate_stdev_factor: Option<u32>,
    /// Gateway errors (502, 503, 504) in a row; default 5.
    pub consecutive_gateway_failure: Option<u32>,
    /// Chance that they eject, in percent; default 0.
    pub enforcing_consecutive_gateway_failure: Option<u32>,
    /// Counts errors of connecting apart from errors of the service.
    pub split_external_local_origin_errors: Option<bool>,
    /// Errors of connecting in a row; default 5.
    pub consecutive_local_origin_failure: Option<u32>,
    /// Chance that they eject, in percent; default 100.
    pub enforcing_consecutive_local_origin_failure: Option<u32>,
    /// Chance that the success rate of connecting ejects, in percent; default 100.
    pub enforcing_local_origin_success_rate: Option<u32>,
}
