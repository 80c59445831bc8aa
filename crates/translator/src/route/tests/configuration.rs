//! Joined bytes: what they are, and that they are what encoding the whole would give.

use std::collections::BTreeSet;

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::resources::Gateway;
use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3 as pb;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

use super::super::testing::{Objects, parsed, service_key, to};
use super::super::{Placement, RouteSet, route_configuration, virtual_host};
use crate::encode;
use crate::resource::{EnvoyName, EnvoyType};

fn configuration(gateway: Value, hosts: &[Bytes]) -> pb::RouteConfiguration {
    let key = ObjectKey::new(Kind::Gateway, "default", "gw");
    let gateway: Gateway = parsed(gateway);
    let clusters = [EnvoyName::new(EnvoyType::Cluster, "u_default")];
    let hint = hosts.iter().map(Bytes::len).sum();
    let resource =
        route_configuration("listener", (&key, &gateway), hosts.iter(), hint, clusters.clone().into());
    let message =
        pb::RouteConfiguration::decode(resource.body.clone()).expect("an encoded route configuration");
    assert_eq!(resource.body, encode::canonical(EnvoyType::Route.message(), &message));
    assert_eq!(resource.name, EnvoyName::new(EnvoyType::Route, "listener-routes"));
    assert_eq!((&*resource.references, &*resource.origins), (&clusters[..], &[key][..]));
    message
}

#[test]
fn route_configuration_carries_the_gateways_settings() {
    let gateway = json!({ "routeOptions": {
        "maxDirectResponseBodySizeBytes": 1_000_000, "mostSpecificHeaderMutationsWins": true,
    } });
    let message = configuration(gateway, &[]);
    assert!(message.most_specific_header_mutations_wins);
    assert_eq!(message.max_direct_response_body_size_bytes.unwrap().value, 1_000_000);
}

#[test]
fn no_direct_response_that_an_object_can_hold_is_too_long_for_envoy() {
    for gateway in [json!({}), json!({ "routeOptions": { "maxDirectResponseBodySizeBytes": 10 } })] {
        let limit = configuration(gateway, &[]).max_direct_response_body_size_bytes.unwrap().value;
        assert_eq!(limit, 512 * 1024);
    }
}

fn text() -> impl Strategy<Value = String> {
    "[a-z]{1,12}"
}

fn values() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(text(), text(), 0..4).prop_map(|map| json!(map))
}

fn matcher() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["prefix", "exact", "regex"]);
    (kind, text(), vec((text(), any::<bool>()), 0..3), any::<bool>()).prop_map(
        |(kind, path, headers, case)| {
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, regex)| json!({ "name": name, "value": name, "regex": regex }))
                .collect();
            json!({ kind: format!("/{path}"), "headers": headers, "caseSensitive": case })
        },
    )
}

fn route() -> impl Strategy<Value = Value> {
    (vec(matcher(), 0..3), values(), values(), any::<bool>()).prop_map(|(matchers, subset, headers, cors)| {
        let mut action = to("u");
        action["single"]["subset"] = json!({ "values": subset });
        let headers: Vec<_> = headers
            .as_object()
            .expect("a map")
            .iter()
            .map(|(key, value)| json!({ "header": { "key": key, "value": value } }))
            .collect();
        let cors = if cors { json!({ "allowOrigin": ["*"] }) } else { Value::Null };
        json!({
            "matchers": matchers, "routeAction": action,
            "options": { "headerManipulation": { "requestHeadersToAdd": headers }, "cors": cors },
        })
    })
}

fn service() -> impl Strategy<Value = Value> {
    (vec(route(), 0..4), any::<bool>(), any::<bool>()).prop_map(|(routes, count, cors)| {
        let cors = if cors { json!({ "allowOrigin": ["*"], "maxAge": "1d" }) } else { Value::Null };
        let options = json!({
            "includeRequestAttemptCount": count, "includeAttemptCountInResponse": !count, "cors": cors,
            "retries": { "retryOn": "5xx" },
            "headerManipulation": { "responseHeadersToRemove": ["x-a"] },
        });
        json!({ "routes": routes, "options": options })
    })
}

/// Services that share a virtual host, translated as the control plane would.
fn sets(services: &[Value]) -> Vec<RouteSet> {
    let objects = Objects::with_upstreams(&["u"]);
    let placement = if services.len() == 1 { Placement::VirtualHost } else { Placement::Routes };
    let named = services.iter().zip('a'..);
    named.map(|(host, name)| objects.translate_as(&name.to_string(), host.clone(), placement)).collect()
}

fn host(index: usize, domains: &BTreeSet<String>, services: &[Value]) -> Bytes {
    let sets = sets(services);
    let keys: Vec<_> = ('a'..).take(sets.len()).map(|name| service_key(&name.to_string())).collect();
    let services: Vec<_> = keys.iter().zip(&sets).collect();
    virtual_host(&format!("host-{index}"), domains, &services).0.bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn joined_bytes_are_the_canonical_encoding_of_the_whole(
        hosts in vec((btree_set(text(), 1..4), vec(service(), 1..4)), 0..4),
        wins in any::<bool>(),
    ) {
        let bytes: Vec<_> =
            hosts.iter().enumerate().map(|(index, (domains, services))| host(index, domains, services)).collect();
        let gateway = json!({ "routeOptions": { "mostSpecificHeaderMutationsWins": wins } });
        let message = configuration(gateway, &bytes);
        prop_assert_eq!(message.virtual_hosts.len(), hosts.len());
        for (host, bytes) in message.virtual_hosts.iter().zip(&bytes) {
            prop_assert_eq!(&encode::canonical("envoy.config.route.v3.VirtualHost", host), bytes);
            for route in &host.routes {
                let again = encode::canonical("envoy.config.route.v3.Route", route);
                prop_assert_eq!(&pb::Route::decode(again).unwrap(), route);
            }
        }
    }
}
