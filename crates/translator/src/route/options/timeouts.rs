//! `timeout` and `idleTimeout`. What is not set stays Envoy's default: 15 s, and the listener's
//! idle timeout.

use biplane_core::options::RouteOptions;
use envoy_types::pb::envoy::config::route::v3::Route;

use super::forwarding;
use crate::proto::duration;

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    let Some(action) = forwarding(route) else { return };
    action.timeout = options.timeout.map(duration);
    action.idle_timeout = options.idle_timeout.map(duration);
}
