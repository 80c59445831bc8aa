//! Who may claim what.

use biplane_tags::settings::{PolicyRule, Settings};

use crate::envoy::get;
use crate::services::{World, in_namespace, own};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn settings() -> Settings {
    let mut settings = own();
    settings.policy = vec![
        PolicyRule {
            namespaces: texts(&["team-a"]),
            hosts: texts(&["*.a.example.com"]),
            gateways: texts(&["public"]),
            ..PolicyRule::default()
        },
        PolicyRule { namespaces: texts(&["ops"]), services: texts(&["edge-*"]), ..PolicyRule::default() },
    ];
    settings
}

#[test]
fn what_no_rule_allows_is_refused_and_told() {
    for (namespace, name, tags, why) in [
        (
            "team-a",
            "web",
            ["hosts=x.b.example.com", "gateways=public"],
            Some("claim the host \"x.b.example.com\""),
        ),
        ("team-a", "web", ["hosts=*", "gateways=public"], Some("claim the host \"*\"")),
        (
            "team-a",
            "web",
            ["hosts=*.example.com", "gateways=public"],
            Some("claim the host \"*.example.com\""),
        ),
        (
            "team-a",
            "web",
            ["hosts=x.a.example.com", "gateways=public,internal"],
            Some("the gateway \"internal\""),
        ),
        ("team-a", "web", ["hosts=x.a.example.com", "path=/"], Some("on all gateways")),
        ("team-a", "web", ["hosts=x.a.example.com", "gateways=public"], None),
        ("team-a", "web", ["hosts=*.x.a.example.com", "gateways=public"], None),
        ("team-b", "web", ["hosts=x.a.example.com", "gateways=public"], Some("no rule of the policy is for")),
        ("ops", "web", ["hosts=a.com", "path=/"], Some("no rule of the policy is for")),
        ("ops", "edge-1", ["hosts=*", "path=/"], None),
    ] {
        let mut world = World::new(settings());
        world.tags(&in_namespace(namespace, name), &tags);
        let found: Vec<_> = world.findings().iter().map(|finding| finding.message.clone()).collect();
        match why {
            None => assert_eq!(found, [""; 0], "{namespace} {tags:?}"),
            Some(why) => {
                assert!(found.len() == 1 && found[0].contains(why), "{namespace} {tags:?}: {found:?}");
            }
        }
    }
}

#[test]
fn a_service_without_a_claim_holds_no_host() {
    let mut world = World::new(settings());
    world.tags(&in_namespace("team-b", "web"), &["hosts=x.a.example.com", "gateways=public"]);
    world.tags(&in_namespace("team-a", "web"), &["hosts=x.a.example.com", "gateways=public"]);
    let request = crate::envoy::Request { gateway: "public", ..get("x.a.example.com", "/") };
    assert!(world.documents.answer(&request).is_some());
}
