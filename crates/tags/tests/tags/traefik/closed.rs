//! Guards that cannot be built: the route is there, and nobody gets through.

use biplane_tags::finding::Severity;
use serde_json::json;

use super::{Gateway, status};

const RULE: &str = "routers.r.rule=Host(`a.example`)";

fn guarded(middlewares: &[&str]) -> Gateway {
    let mut tags = vec![RULE.to_owned(), "routers.r.middlewares=m".to_owned()];
    tags.extend(middlewares.iter().map(|one| format!("middlewares.{one}")));
    Gateway::of(&tags.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn guards_that_cannot_be_built_close_the_route() {
    for middlewares in [
        &["m.basicauth.users=joe:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"] as &[&str],
        &["m.basicauth.users=joe:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"],
        &["m.basicauth.users=joe"],
        &["m.basicauth.users=joe:{SHA}short"],
        &["m.basicauth.usersfile=/etc/users"],
        &["m.digestauth.users=joe:realm:hash"],
        &["m.forwardauth.address=http://auth"],
        &["m.plugin.tomato.a=1"],
        &["m.ipallowlist.sourcerange=nowhere"],
        &["m.ipallowlist.rejectstatuscode=404"],
        &["m.ipallowlist.sourcerange=10.0.0.0/8", "m.ipallowlist.ipstrategy.depth=1"],
        &["m.ipallowlist.sourcerange=10.0.0.0/8", "m.ipallowlist.rejectstatuscode=200"],
        &["m.ipwhitelist.sourcerange=10.0.0.0/40"],
        &["m.addprefix.prefix=/x", "m.compress=true"],
    ] {
        let gateway = guarded(middlewares);
        assert_eq!(status(gateway.route("a.example")), Some(403), "{middlewares:?}");
        gateway.tells(Severity::Error, "the route answers 403");
    }
}

#[test]
fn options_of_tls_that_are_not_known_close_the_route() {
    let gateway = Gateway::of(&[RULE, "routers.r.tls.options=mutual@file"]);
    assert_eq!(status(gateway.route("a.example")), Some(403));
    gateway.tells(Severity::Error, "the TLS options mutual@file are not known");
    let default = Gateway::of(&[RULE, "routers.r.tls.options=default", "routers.r.tls.certresolver=le"]);
    assert!(default.route("a.example")["routeAction"].is_object());
}

#[test]
fn what_stands_before_the_guard_still_answers() {
    let gateway = Gateway::of(&[
        RULE,
        "routers.r.middlewares=https,office,auth",
        "middlewares.https.redirectscheme.scheme=https",
        "middlewares.office.ipallowlist.sourcerange=10.0.0.0/8, 192.168.1.7",
        "middlewares.auth.forwardauth.address=http://auth",
    ]);
    let routes = gateway.routes("a.example");
    let statuses: Vec<_> = routes.iter().map(|route| status(route)).collect();
    assert_eq!(statuses, [None, None, Some(403), Some(403)]);
    let ranges = json!({"ranges": ["10.0.0.0/8", "192.168.1.7/32"], "invertMatch": true});
    assert_eq!(routes[2]["matchers"][0]["clientIp"], ranges);
}

#[test]
fn hashes_of_passwords_are_in_no_finding() {
    let gateway =
        guarded(&["m.basicauth.users=joe:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/", "m.basicauth.nosuch=1"]);
    let misread = guarded(&["m.basicauth.users=joe:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"]);
    for told in [gateway.told(), misread.told()] {
        assert!(!told.is_empty() && !told.concat().contains("apr1"), "{told:?}");
    }
}

#[test]
fn allowed_hosts_and_encoded_characters_are_asked_before() {
    let hosts = guarded(&["m.headers.allowedhosts=b.example"]);
    assert_eq!(status(hosts.routes("a.example")[0]), Some(500));
    let encoded = guarded(&["m.encodedcharacters.allowencodedslash=true"]);
    assert_eq!(status(encoded.routes("a.example")[0]), Some(400));
}
