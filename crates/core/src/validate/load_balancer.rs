//! Load balancers.

use super::Validator;
use crate::path::Trail;
use crate::resources::upstream::LoadBalancerConfig;
use crate::resources::upstream::load_balancer::{RingHashConfig, SlowStart};

/// The largest ring that Envoy builds, and the least size of its own choice.
const MAX_RING: u64 = 8 * 1024 * 1024;
const DEFAULT_MIN_RING: u64 = 1024;

pub(super) fn load_balancer(v: &mut Validator<'_, '_>, config: &LoadBalancerConfig, at: &Trail<'_>) {
    let algorithms = [
        ("roundRobin", config.round_robin.is_some()),
        ("leastRequest", config.least_request.is_some()),
        ("random", config.random.is_some()),
        ("ringHash", config.ring_hash.is_some()),
        ("maglev", config.maglev.is_some()),
    ];
    v.at_most_one(at, "the load balancer", &algorithms);
    v.within(&at.field("healthyPanicThreshold"), config.healthy_panic_threshold, 0.0, 100.0);
    if let Some(slow) = config.round_robin.as_ref().and_then(|each| each.slow_start_config.as_ref()) {
        slow_start(v, slow, &at.field("roundRobin").field("slowStartConfig"));
    }
    if let Some(least) = &config.least_request {
        let at = at.field("leastRequest");
        v.within(&at.field("choiceCount"), least.choice_count, 2, u32::MAX);
        if let Some(slow) = &least.slow_start_config {
            slow_start(v, slow, &at.field("slowStartConfig"));
        }
    }
    if let Some(ring) = config.ring_hash.as_ref().and_then(|each| each.ring_hash_config.as_ref()) {
        ring_sizes(v, ring, &at.field("ringHash").field("ringHashConfig"));
    }
}

fn ring_sizes(v: &mut Validator<'_, '_>, ring: &RingHashConfig, at: &Trail<'_>) {
    v.within(&at.field("minimumRingSize"), ring.minimum_ring_size, 0, MAX_RING);
    v.within(&at.field("maximumRingSize"), ring.maximum_ring_size, 1, MAX_RING);
    let least = ring.minimum_ring_size.unwrap_or(DEFAULT_MIN_RING);
    let most = ring.maximum_ring_size.unwrap_or(MAX_RING);
    if least > most && least <= MAX_RING {
        let message = format!("the least size {least} is above the largest {most}");
        v.error_hint(at, message, format!("minimumRingSize is {DEFAULT_MIN_RING} where it is left out"));
    }
}

fn slow_start(v: &mut Validator<'_, '_>, slow: &SlowStart, at: &Trail<'_>) {
    if slow.aggression.is_some_and(|aggression| aggression <= 0.0) {
        v.error(&at.field("aggression"), "must be above 0");
    }
    v.within(&at.field("minWeightPercent"), slow.min_weight_percent, 0.0, 100.0);
}
