//! How requests spread over the endpoints.

use biplane_core::path::FieldPath;
use biplane_core::resources::upstream::LoadBalancerConfig;
use biplane_core::resources::upstream::load_balancer::{RingHash, SlowStart};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::common_lb_config::ConsistentHashingLbConfig;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    CommonLbConfig, DiscoveryType, LbConfig, LbPolicy, LeastRequestLbConfig, RingHashLbConfig,
    RoundRobinLbConfig, SlowStartConfig,
};
use envoy_types::pb::envoy::config::core::v3::RuntimeDouble;
use envoy_types::pb::envoy::r#type::v3::Percent;

use super::Reporter;
use crate::proto::{duration, uint32, uint64};

/// Sets the policy, its configuration, and what holds for all policies.
pub(super) fn apply(
    user: Option<&LoadBalancerConfig>,
    discovery: DiscoveryType,
    cluster: &mut Cluster,
    report: &mut Reporter<'_>,
) {
    let Some(user) = user else { return };
    let (policy, config) = policy(user);
    cluster.lb_policy = policy.into();
    cluster.lb_config = config;
    let common = common(user, by_hostname(user, discovery, report));
    cluster.common_lb_config = (common != CommonLbConfig::default()).then_some(common);
}

fn policy(user: &LoadBalancerConfig) -> (LbPolicy, Option<LbConfig>) {
    if let Some(least) = &user.least_request {
        let config = LeastRequestLbConfig {
            choice_count: least.choice_count.map(uint32),
            slow_start_config: least.slow_start_config.as_ref().map(slow_start),
            ..LeastRequestLbConfig::default()
        };
        return (LbPolicy::LeastRequest, Some(LbConfig::LeastRequestLbConfig(config)));
    }
    if let Some(ring) = &user.ring_hash {
        return (LbPolicy::RingHash, Some(LbConfig::RingHashLbConfig(ring_hash(ring))));
    }
    if user.random.is_some() {
        return (LbPolicy::Random, None);
    }
    if user.maglev.is_some() {
        return (LbPolicy::Maglev, None);
    }
    let slow = user.round_robin.as_ref().and_then(|round_robin| round_robin.slow_start_config.as_ref());
    let config = slow.map(|slow| {
        LbConfig::RoundRobinLbConfig(RoundRobinLbConfig { slow_start_config: Some(slow_start(slow)) })
    });
    (LbPolicy::RoundRobin, config)
}

fn ring_hash(user: &RingHash) -> RingHashLbConfig {
    let size = user.ring_hash_config.clone().unwrap_or_default();
    RingHashLbConfig {
        minimum_ring_size: size.minimum_ring_size.map(uint64),
        maximum_ring_size: size.maximum_ring_size.map(uint64),
        ..RingHashLbConfig::default()
    }
}

fn slow_start(user: &SlowStart) -> SlowStartConfig {
    SlowStartConfig {
        slow_start_window: user.slow_start_window.map(duration),
        aggression: user.aggression.map(|value| RuntimeDouble {
            default_value: value,
            // Envoy wants a key; nobody is meant to set this one.
            runtime_key: "biplane.slow_start.aggression".into(),
        }),
        min_weight_percent: user.min_weight_percent.map(percent),
    }
}

/// Whether to hash by hostname. Only hosts that Envoy resolves have a name besides their address.
fn by_hostname(
    user: &LoadBalancerConfig,
    discovery: DiscoveryType,
    report: &mut Reporter<'_>,
) -> Option<bool> {
    if user.use_hostname_for_hashing != Some(true) || discovery == DiscoveryType::StrictDns {
        return user.use_hostname_for_hashing;
    }
    let path = FieldPath::root().field("loadBalancerConfig").field("useHostnameForHashing");
    report.warning(path, "the hosts have no names, so it is left out", "give the hosts by DNS name");
    None
}

fn common(user: &LoadBalancerConfig, by_hostname: Option<bool>) -> CommonLbConfig {
    CommonLbConfig {
        healthy_panic_threshold: user.healthy_panic_threshold.map(percent),
        update_merge_window: user.update_merge_window.map(duration),
        close_connections_on_host_set_change: user.close_connections_on_host_set_change.unwrap_or_default(),
        consistent_hashing_lb_config: by_hostname.map(|use_hostname_for_hashing| ConsistentHashingLbConfig {
            use_hostname_for_hashing,
            ..ConsistentHashingLbConfig::default()
        }),
        ..CommonLbConfig::default()
    }
}

const fn percent(value: f64) -> Percent {
    Percent { value }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::{Kind, ObjectKey};

    use super::*;

    #[test]
    fn only_hosts_that_envoy_resolves_are_hashed_by_name() {
        let object = ObjectKey::new(Kind::Upstream, "default", "u");
        let user = |by_name| LoadBalancerConfig {
            use_hostname_for_hashing: Some(by_name),
            ..LoadBalancerConfig::default()
        };
        let said = |by_name, discovery| {
            let mut report = Reporter { object: &object, reports: Vec::new() };
            (by_hostname(&user(by_name), discovery, &mut report), report.reports.len())
        };
        assert_eq!(said(true, DiscoveryType::StrictDns), (Some(true), 0));
        assert_eq!(said(true, DiscoveryType::Eds), (None, 1));
        assert_eq!(said(true, DiscoveryType::Static), (None, 1));
        assert_eq!(said(false, DiscoveryType::Eds), (Some(false), 0));
    }
}
