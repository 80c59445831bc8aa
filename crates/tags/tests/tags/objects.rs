//! The objects that are made, as a whole.

use biplane_core::key::Kind;
use serde_json::json;

use crate::envoy::{Request, get};
use crate::services::{World, id, own};

#[test]
fn the_objects_are_what_a_user_could_have_written() {
    let mut world = World::new(own());
    world.tags(
        &id("web"),
        &[
            "hosts=a.com",
            "path=/api",
            "stripPrefix=true",
            "methods=GET,POST",
            "allow=10.0.0.0/8",
            "port=9090",
            "scheme=grpc",
            "retries=2",
            "requestHeadersToAdd.x-from=100%",
        ],
    );
    assert_eq!(world.findings().len(), 0, "{:#?}", world.findings());
    let upstream = world.documents.names(Kind::Upstream)[0].to_owned();
    assert!(upstream.starts_with("nomad.default.web."), "{upstream}");
    let matchers = |extra: &serde_json::Value| {
        let paths = [json!({ "exact": "/api" }), json!({ "prefix": "/api/" })];
        let each = paths.iter().flat_map(|path| {
            ["GET", "POST"].map(|method| {
                let mut matcher = path.as_object().unwrap().clone();
                matcher.insert("methods".to_owned(), json!([method]));
                matcher.extend(extra.as_object().unwrap().clone());
                matcher
            })
        });
        json!(each.collect::<Vec<_>>())
    };
    let ten = json!({ "clientIp": { "ranges": ["10.0.0.0/8"], "invertMatch": true } });
    let made = json!([
        {
            "metadata": {
                "name": "a.com",
                "namespace": "tags",
                "labels": { "biplane.io/made-by": "tags" },
                "annotations": { "biplane.io/services": "nomad prod/global/default/web" },
            },
            "virtualHost": {
                "domains": ["a.com", "a.com:*", "a.com."],
                "routes": [
                    {
                        "matchers": matchers(&ten),
                        "directResponseAction": { "status": 403 },
                        "name": "default@biplane#1",
                    },
                    {
                        "matchers": matchers(&json!({})),
                        "routeAction": { "single": { "upstream": { "namespace": "tags", "name": upstream } } },
                        "name": "default@biplane",
                        "options": {
                            "regexRewrite": { "pattern": { "regex": "^(?:/api)/*" }, "substitution": "/" },
                            "retries": { "retryOn": "connect-failure,refused-stream", "numRetries": 2 },
                            "headerManipulation": {
                                "requestHeadersToAdd": [
                                    { "header": { "key": "x-from", "value": "100%%" }, "append": false },
                                ],
                            },
                        },
                    },
                ],
            },
        },
        {
            "metadata": {
                "name": upstream,
                "namespace": "tags",
                "labels": { "biplane.io/made-by": "tags" },
                "annotations": { "biplane.io/services": "nomad prod/global/default/web" },
            },
            "nomad": {
                "serviceName": "web",
                "region": "global",
                "namespace": "default",
                "port": 9090,
                "source": "prod",
            },
            "useHttp2": true,
        },
    ]);
    let text: serde_json::Value = serde_json::from_str(&world.documents.text()).unwrap();
    assert_eq!(text, made);
}

#[test]
fn a_route_that_core_refuses_is_closed_and_costs_only_itself() {
    let mut world = World::new(own());
    world.tags(&id("bad"), &["hosts=a.com", "path=/bad", "requestHeadersToAdd.host=evil"]);
    world.tags(&id("good"), &["hosts=a.com", "path=/good"]);
    assert_eq!(world.documents.status(&get("a.com", "/bad")), Some(503));
    assert!(world.documents.answer(&get("a.com", "/good")).unwrap().route_action.is_some());
    assert!(world.finding().message.contains("it is closed"), "{}", world.finding());
}

#[test]
fn access_rules_stand_in_front_of_their_route() {
    let mut world = World::new(own());
    world.tags(&id("web"), &["hosts=a.com", "allow=10.0.0.0/8", "deny=10.1.0.0/16"]);
    let from = |client| world.documents.status(&Request { client, ..get("a.com", "/") });
    assert_eq!((from("10.0.0.1"), from("10.1.0.1"), from("192.0.2.1")), (None, Some(403), Some(403)));
}

#[test]
fn a_guard_that_cannot_be_read_is_served_closed() {
    let mut world = World::new(own());
    world.tags(&id("web"), &["hosts=a.com", "allow=10.0.0.0/99"]);
    assert_eq!(world.documents.status(&get("a.com", "/")), Some(403));
}

#[test]
fn a_rule_that_core_refuses_is_not_served_and_costs_only_itself() {
    let mut world = World::new(own());
    world.tags(&id("bad"), &["rule=Host(`a.com`) && Header(`x y`, `1`)"]);
    world.tags(&id("good"), &["hosts=a.com"]);
    assert!(world.finding().message.starts_with("not served: name: "), "{}", world.finding());
    assert!(world.documents.answer(&get("a.com", "/")).unwrap().route_action.is_some());
}

#[test]
fn what_core_warns_of_is_told_of_the_tag() {
    let mut world = World::new(own());
    world.tags(&id("web"), &["hosts=a.com", "retries.retryOn=often"]);
    let finding = world.finding();
    assert!(finding.message.contains("\"often\"") && finding.hint.is_some(), "{finding}");
    assert!(world.documents.answer(&get("a.com", "/")).unwrap().route_action.is_some());
}
