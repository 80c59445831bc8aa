//! `maxStreamDuration`.

use biplane_core::options::RouteOptions;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route_action::MaxStreamDuration;

use super::forwarding;
use crate::proto::duration;

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    let (Some(limits), Some(action)) = (&options.max_stream_duration, forwarding(route)) else { return };
    action.max_stream_duration = Some(MaxStreamDuration {
        max_stream_duration: limits.max_stream_duration.map(duration),
        grpc_timeout_header_max: limits.grpc_timeout_header_max.map(duration),
        grpc_timeout_header_offset: limits.grpc_timeout_header_offset.map(duration),
    });
}
