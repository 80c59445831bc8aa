//! Which of several routers answers a request.

use super::Gateway;
use crate::envoy::{Request, get};

/// The router that answers, of these: name, priority (0: not set), rule.
fn winner(routers: &[(&str, i64, &str)], request: &Request) -> Option<String> {
    let mut tags = Vec::new();
    for (name, priority, rule) in routers {
        tags.push(format!("routers.{name}.rule={rule}"));
        if *priority != 0 {
            tags.push(format!("routers.{name}.priority={priority}"));
        }
    }
    let gateway = Gateway::of(&tags.iter().map(String::as_str).collect::<Vec<_>>());
    gateway.tells_nothing();
    let name = gateway.decoded.name(request)?;
    Some(name.split('@').next().unwrap_or_default().to_owned())
}

#[test]
fn the_longer_rule_is_asked_first() {
    let routers = [("short", 0, "PathPrefix(`/a`)"), ("long", 0, "PathPrefix(`/a/b`)")];
    assert_eq!(winner(&routers, &get("x.example", "/a/b")).as_deref(), Some("long"));
    assert_eq!(winner(&routers, &get("x.example", "/a/c")).as_deref(), Some("short"));
    assert_eq!(winner(&routers, &get("x.example", "/c")), None);
}

#[test]
fn a_priority_goes_before_the_length() {
    let routers = [("short", 100, "PathPrefix(`/`)"), ("long", 0, "PathPrefix(`/a/b`)")];
    assert_eq!(winner(&routers, &get("x.example", "/a/b")).as_deref(), Some("short"));
    let routers = [("last", -1, "PathPrefix(`/a/b/c`)"), ("first", 0, "Path(`/a/b/c`)")];
    assert_eq!(winner(&routers, &get("x.example", "/a/b/c")).as_deref(), Some("first"));
}

#[test]
fn routes_of_one_host_and_of_all_hosts_compete() {
    let routers = [("host", 10, "Host(`x.example`)"), ("all", 20, "PathPrefix(`/api`)")];
    assert_eq!(winner(&routers, &get("x.example", "/api")).as_deref(), Some("all"));
    assert_eq!(winner(&routers, &get("x.example", "/")).as_deref(), Some("host"));
    assert_eq!(winner(&routers, &get("y.example", "/api")).as_deref(), Some("all"));
    let routers = [("pattern", 0, r"HostRegexp(`^[a-z]+\.example$`)"), ("host", 0, "Host(`x.example`)")];
    assert_eq!(winner(&routers, &get("x.example", "/")).as_deref(), Some("pattern"));
    assert_eq!(winner(&routers, &get("y.example", "/")).as_deref(), Some("pattern"));
    assert_eq!(winner(&routers, &get("1.example", "/")), None);
}
