//! Passive health checks.

use biplane_core::resources::upstream::OutlierDetection as User;
use envoy_types::pb::envoy::config::cluster::v3::OutlierDetection;

use crate::proto::{duration, uint32};

/// Envoy's fields of the same names; what is left out keeps Envoy's default.
pub(super) fn of(user: &User) -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: user.consecutive5xx.map(uint32),
        interval: user.interval.map(duration),
        base_ejection_time: user.base_ejection_time.map(duration),
        max_ejection_percent: user.max_ejection_percent.map(uint32),
        enforcing_consecutive_5xx: user.enforcing_consecutive5xx.map(uint32),
        enforcing_success_rate: user.enforcing_success_rate.map(uint32),
        success_rate_minimum_hosts: user.success_rate_minimum_hosts.map(uint32),
        success_rate_request_volume: user.success_rate_request_volume.map(uint32),
        success_rate_stdev_factor: user.success_rate_stdev_factor.map(uint32),
        consecutive_gateway_failure: user.consecutive_gateway_failure.map(uint32),
        enforcing_consecutive_gateway_failure: user.enforcing_consecutive_gateway_failure.map(uint32),
        split_external_local_origin_errors: user.split_external_local_origin_errors.unwrap_or_default(),
        consecutive_local_origin_failure: user.consecutive_local_origin_failure.map(uint32),
        enforcing_consecutive_local_origin_failure: user
            .enforcing_consecutive_local_origin_failure
            .map(uint32),
        enforcing_local_origin_success_rate: user.enforcing_local_origin_success_rate.map(uint32),
        ..OutlierDetection::default()
    }
}
