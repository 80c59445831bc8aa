//! `lbHash`: what consistent-hashing load balancers hash.

use biplane_core::options::RouteOptions;
use biplane_core::options::lb_hash::HashPolicy;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route_action::hash_policy::{
    ConnectionProperties, Cookie, Header, PolicySpecifier,
};
use envoy_types::pb::envoy::config::route::v3::route_action::{self};

use super::forwarding;
use crate::proto::duration;

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    let (Some(hash), Some(action)) = (&options.lb_hash, forwarding(route)) else { return };
    action.hash_policy = hash.hash_policies.iter().filter_map(policy).collect();
}

/// A policy that hashes nothing (`sourceIp: false`) is none: Envoy refuses an empty one.
fn policy(policy: &HashPolicy) -> Option<route_action::HashPolicy> {
    let specifier = if let Some(header) = &policy.header {
        PolicySpecifier::Header(Header { header_name: header.clone(), regex_rewrite: None })
    } else if let Some(cookie) = &policy.cookie {
        PolicySpecifier::Cookie(Cookie {
            name: cookie.name.clone(),
            ttl: cookie.ttl.map(duration),
            path: cookie.path.clone().unwrap_or_default(),
            attributes: Vec::new(),
        })
    } else if policy.source_ip == Some(true) {
        PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true })
    } else {
        return None;
    };
    Some(route_action::HashPolicy { terminal: policy.terminal, policy_specifier: Some(specifier) })
}
