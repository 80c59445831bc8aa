//! Route and virtual host options in Envoy's messages.

use envoy_types::pb::envoy::config::route::v3::route_action::HostRewriteSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_action::hash_policy::PolicySpecifier;
use envoy_types::pb::envoy::config::route::v3::{Route, VirtualHost};
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy;
use envoy_types::pb::google::protobuf::Any;
use prost::Message;
use serde_json::{Value, json};

use super::super::Placement;
use super::super::testing::{Objects, decoded, forwarded, prefix, reference, said};

fn with_options(options: Value) -> Route {
    let mut route = prefix("/", "u");
    route["options"] = options;
    decoded(&Objects::with_upstreams(&["u"]).routes(json!([route]))).remove(0)
}

fn cors_of(filters: &std::collections::HashMap<String, Any>) -> CorsPolicy {
    let any = &filters["envoy.filters.http.cors"];
    assert_eq!(any.type_url, "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy");
    CorsPolicy::decode(any.value.as_slice()).expect("a policy")
}

#[test]
fn route_without_options_leaves_envoys_defaults() {
    let route = with_options(json!({}));
    let action = forwarded(&route);
    assert_eq!((&action.timeout, &action.retry_policy, &action.idle_timeout), (&None, &None, &None));
    assert!(route.typed_per_filter_config.is_empty());
}

#[test]
fn timeouts_and_stream_limits_are_written() {
    let route = with_options(json!({
        "timeout": "0s", "idleTimeout": "1m",
        "maxStreamDuration": { "maxStreamDuration": "5s", "grpcTimeoutHeaderMax": "6s", "grpcTimeoutHeaderOffset": "1ms" },
    }));
    let action = forwarded(&route);
    assert_eq!(action.timeout.as_ref().unwrap().seconds, 0);
    assert_eq!(action.idle_timeout.as_ref().unwrap().seconds, 60);
    let limits = action.max_stream_duration.as_ref().unwrap();
    assert_eq!(limits.max_stream_duration.as_ref().unwrap().seconds, 5);
    assert_eq!(limits.grpc_timeout_header_max.as_ref().unwrap().seconds, 6);
    assert_eq!(limits.grpc_timeout_header_offset.as_ref().unwrap().nanos, 1_000_000);
}

#[test]
fn retries_are_written() {
    let route = with_options(json!({ "retries": {
        "retryOn": "5xx,retriable-status-codes", "numRetries": 3, "perTryTimeout": "1s",
        "retryBackOff": { "baseInterval": "10ms", "maxInterval": "20ms" }, "retriableStatusCodes": [409, 425],
    } }));
    let policy = forwarded(&route).retry_policy.as_ref().unwrap();
    assert_eq!(policy.retry_on, "5xx,retriable-status-codes");
    assert_eq!(policy.num_retries.as_ref().unwrap().value, 3);
    assert_eq!(policy.per_try_timeout.as_ref().unwrap().seconds, 1);
    assert_eq!(policy.retry_back_off.as_ref().unwrap().max_interval.as_ref().unwrap().nanos, 20_000_000);
    assert_eq!(policy.retriable_status_codes, [409, 425]);
}

#[test]
fn path_rewrites_are_written() {
    assert_eq!(forwarded(&with_options(json!({ "prefixRewrite": "/b" }))).prefix_rewrite, "/b");
    let regex = json!({ "regexRewrite": { "pattern": { "regex": "^/a/(.*)$" }, "substitution": r"/b/\1" } });
    let route = with_options(regex);
    let rewrite = forwarded(&route).regex_rewrite.as_ref().unwrap();
    assert_eq!(rewrite.pattern.as_ref().unwrap().regex, "^/a/(.*)$");
    assert_eq!(rewrite.substitution, r"/b/\1");
}

#[test]
fn each_host_rewrite_is_written() {
    let of = |options: Value| forwarded(&with_options(options)).host_rewrite_specifier.clone();
    let literal = Some(HostRewriteSpecifier::HostRewriteLiteral("h".to_owned()));
    assert_eq!(of(json!({ "hostRewrite": "h" })), literal);
    let header = Some(HostRewriteSpecifier::HostRewriteHeader("x-h".to_owned()));
    assert_eq!(of(json!({ "hostRewriteHeader": "x-h" })), header);
    assert!(matches!(of(json!({ "autoHostRewrite": true })), Some(HostRewriteSpecifier::AutoHostRewrite(_))));
    assert_eq!(of(json!({ "autoHostRewrite": false })), None);
    let regex =
        json!({ "hostRewritePathRegex": { "pattern": { "regex": "^/(.+)/.+$" }, "substitution": r"\1" } });
    assert!(matches!(of(regex), Some(HostRewriteSpecifier::HostRewritePathRegex(_))));
    assert!(forwarded(&with_options(json!({ "appendXForwardedHost": true }))).append_x_forwarded_host);
}

#[test]
fn hash_policies_keep_their_order() {
    let route = with_options(json!({ "lbHash": { "hashPolicies": [
        { "header": "x-user", "terminal": true }, { "cookie": { "name": "c", "ttl": "0s", "path": "/" } },
        { "sourceIp": true }, { "sourceIp": false },
    ] } }));
    let policies = &forwarded(&route).hash_policy;
    assert_eq!(policies.len(), 3);
    assert!(policies[0].terminal);
    assert!(matches!(&policies[0].policy_specifier, Some(PolicySpecifier::Header(_))));
    let Some(PolicySpecifier::Cookie(cookie)) = &policies[1].policy_specifier else { panic!("{policies:?}") };
    assert!(cookie.ttl.is_some() && cookie.path == "/");
    assert!(matches!(&policies[2].policy_specifier, Some(PolicySpecifier::ConnectionProperties(_))));
}

#[test]
fn upgrade_type_is_written_once() {
    let route = with_options(json!({ "upgrades": [
        { "websocket": { "enabled": false } }, { "connectTerminate": {} }, { "connect": {} }, { "websocket": {} },
    ] }));
    let upgrades = &forwarded(&route).upgrade_configs;
    let types: Vec<_> = upgrades.iter().map(|upgrade| upgrade.upgrade_type.as_str()).collect();
    assert_eq!(types, ["websocket", "CONNECT"]);
    assert_eq!(upgrades[0].enabled.as_ref().map(|enabled| enabled.value), Some(false));
    assert!(upgrades[1].connect_config.is_some());
}

#[test]
fn headers_and_cors_hold_for_direct_responses_too() {
    let set = Objects::default().routes(json!([{
        "directResponseAction": { "status": 200 },
        "options": {
            "headerManipulation": { "responseHeadersToAdd": [{ "header": { "key": "x-a", "value": "1" }, "append": false }] },
            "cors": { "allowOrigin": ["https://a.example.com"] },
            "timeout": "5s",
        },
    }]));
    let route = &decoded(&set)[0];
    assert_eq!(route.response_headers_to_add.len(), 1);
    assert_eq!(cors_of(&route.typed_per_filter_config).allow_origin_string_match.len(), 1);
}

#[test]
fn cors_carries_every_field() {
    let route = with_options(json!({ "cors": {
        "allowOrigin": ["https://a"], "allowOriginRegex": ["https://.*"], "allowMethods": ["GET", "PUT"],
        "allowHeaders": ["x-a"], "exposeHeaders": ["x-b", "x-c"], "maxAge": "1d", "allowCredentials": true,
    } }));
    let policy = cors_of(&route.typed_per_filter_config);
    assert_eq!(policy.allow_origin_string_match.len(), 2);
    let texts = [&policy.allow_methods, &policy.allow_headers, &policy.expose_headers, &policy.max_age];
    assert_eq!(texts, ["GET,PUT", "x-a", "x-b,x-c", "86400"]);
    assert!(policy.allow_credentials.unwrap().value);
}

fn host_options() -> Value {
    json!({
        "retries": { "retryOn": "5xx" },
        "headerManipulation": { "requestHeadersToRemove": ["x-a"] },
        "cors": { "allowOrigin": ["*"] },
        "includeRequestAttemptCount": true,
    })
}

#[test]
fn virtual_host_options_stay_on_the_virtual_host() {
    let host = json!({ "routes": [prefix("/", "u")], "options": host_options() });
    let set = Objects::with_upstreams(&["u"]).translate(host);
    let host = VirtualHost::decode(set.host.bytes.clone()).unwrap();
    assert_eq!(host.retry_policy.as_ref().unwrap().retry_on, "5xx");
    assert_eq!(host.request_headers_to_remove, ["x-a"]);
    assert_eq!(cors_of(&host.typed_per_filter_config).allow_origin_string_match.len(), 1);
    assert!(host.include_request_attempt_count && !host.include_attempt_count_in_response);
    let routes = decoded(&set);
    assert_eq!((&forwarded(&routes[0]).retry_policy, routes[0].request_headers_to_remove.len()), (&None, 0));
}

#[test]
fn virtual_host_options_are_folded_into_routes_on_request() {
    let mut own = prefix("/own", "u");
    own["options"] = json!({ "retries": { "retryOn": "reset" } });
    let host = json!({ "routes": [own, prefix("/", "u")], "options": host_options() });
    let set = Objects::with_upstreams(&["u"]).translate_as("vs", host, Placement::Routes);
    let routes = decoded(&set);
    let retry_on: Vec<_> = routes
        .iter()
        .map(|route| forwarded(route).retry_policy.as_ref().unwrap().retry_on.as_str())
        .collect();
    assert_eq!(retry_on, ["reset", "5xx"]);
    for route in &routes {
        assert_eq!(route.request_headers_to_remove, ["x-a"]);
        assert_eq!(cors_of(&route.typed_per_filter_config).allow_origin_string_match.len(), 1);
    }
    let host = VirtualHost::decode(set.host.bytes.clone()).unwrap();
    assert_eq!(host, VirtualHost { include_request_attempt_count: true, ..VirtualHost::default() });
}

#[test]
fn route_that_folding_gives_too_many_headers_is_left_out() {
    let add = |count: usize| {
        let headers: Vec<_> =
            (0..count).map(|n| json!({ "header": { "key": format!("x-{n}"), "value": "1" } })).collect();
        json!({ "headerManipulation": { "responseHeadersToAdd": headers } })
    };
    let (mut fits, mut exceeds) = (prefix("/fits", "u"), prefix("/exceeds", "u"));
    fits["options"] = add(400);
    exceeds["options"] = add(401);
    let host = json!({ "routes": [exceeds, fits], "options": add(600) });
    let objects = Objects::with_upstreams(&["u"]);
    let set = objects.translate_as("vs", host.clone(), Placement::Routes);
    assert_eq!(
        decoded(&set).iter().map(|route| route.response_headers_to_add.len()).collect::<Vec<_>>(),
        [1000]
    );
    assert_eq!(said(&set).len(), 1);
    assert!(said(&set)[0].starts_with("error: VirtualService default/vs: virtualHost.routes[0]: "));
    assert_eq!(objects.translate(host).routes.len(), 2);
}

#[test]
fn virtual_host_options_come_from_host_then_references() {
    let host = json!({
        "routes": [prefix("/", "u")],
        "options": { "retries": { "retryOn": "own" } },
        "optionsConfigRefs": { "delegateOptions": [reference("gone"), reference("first"), reference("second")] },
    });
    let set = Objects::with_upstreams(&["u"])
        .host_option(
            "first",
            json!({ "retries": { "retryOn": "first" }, "includeAttemptCountInResponse": true }),
        )
        .host_option(
            "second",
            json!({ "includeRequestAttemptCount": true, "includeAttemptCountInResponse": false }),
        )
        .translate(host);
    let host = VirtualHost::decode(set.host.bytes.clone()).unwrap();
    assert_eq!(host.retry_policy.unwrap().retry_on, "own");
    assert!(host.include_request_attempt_count && host.include_attempt_count_in_response);
    let expected = "warning: VirtualService default/vs: virtualHost.optionsConfigRefs.delegateOptions[0]: \
         VirtualHostOption default/gone does not exist, its options are missing";
    assert_eq!(said(&set), [expected]);
}
