//! `retries`, of routes and of virtual hosts. In Envoy the route's policy replaces the virtual
//! host's as a whole.

use biplane_core::options::retries::RetryBackOff;
use biplane_core::options::{Retries, RouteOptions};
use envoy_types::pb::envoy::config::route::v3::{RetryPolicy, Route, retry_policy};

use super::forwarding;
use crate::proto::{duration, uint32};

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    let Some(action) = forwarding(route) else { return };
    action.retry_policy = options.retries.as_ref().map(policy);
}

/// Envoy's retry policy.
pub(in crate::route) fn policy(retries: &Retries) -> RetryPolicy {
    RetryPolicy {
        retry_on: retries.retry_on.clone(),
        num_retries: retries.num_retries.map(uint32),
        per_try_timeout: retries.per_try_timeout.map(duration),
        retriable_status_codes: retries.retriable_status_codes.clone(),
        retry_back_off: retries.retry_back_off.as_ref().map(back_off),
        ..RetryPolicy::default()
    }
}

fn back_off(back_off: &RetryBackOff) -> retry_policy::RetryBackOff {
    retry_policy::RetryBackOff {
        base_interval: back_off.base_interval.map(duration),
        max_interval: back_off.max_interval.map(duration),
    }
}
