//! Routes while instances come and go.

use biplane_core::key::Kind;
use biplane_tags::service::{Instance, Service};

use crate::envoy::{Request, get};
use crate::services::{World, id, instance, own};

fn version(id: &str, version: u64, healthy: bool, options: &[&str]) -> Instance {
    Instance { version, healthy, ..instance(id, options) }
}

#[test]
fn a_rolling_deploy_never_takes_a_route_away() {
    let mut world = World::new(own());
    let old = |id| version(id, 1, true, &["routes.a.hosts=a.com", "routes.a.timeout=1s"]);
    let new = |id, healthy| version(id, 2, healthy, &["routes.a.hosts=a.com", "routes.a.timeout=2s"]);
    let timeout = |world: &World| world.documents.text().matches("2s").count();
    for (instances, expected) in [
        (vec![old("1"), old("2")], 0),
        (vec![old("1"), old("2"), new("3", false)], 0),
        (vec![old("1"), old("2"), new("3", true)], 1),
        (vec![old("2"), new("3", true), new("4", false)], 1),
        (vec![new("3", false), new("4", false)], 1),
        (vec![new("3", true), new("4", true)], 1),
    ] {
        world.set(&id("web"), instances);
        assert_eq!(world.documents.name(&get("a.com", "/")).as_deref(), Some("a@biplane"));
        assert_eq!(timeout(&world), expected);
    }
}

#[test]
fn a_route_stays_while_no_instance_is_healthy_and_goes_with_the_service() {
    let mut world = World::new(own());
    world.set(&id("web"), vec![version("1", 1, false, &["hosts=a.com"])]);
    assert!(world.documents.answer(&get("a.com", "/")).unwrap().route_action.is_some());
    world.remove(&id("web"));
    assert_eq!(world.documents.text(), "[]");
    assert!(world.findings().is_empty());
}

#[test]
fn a_service_that_says_the_same_again_changes_nothing() {
    let mut world = World::new(own());
    world.tags(&id("web"), &["hosts=a.com"]);
    let changes =
        world.set(&id("web"), vec![instance("i-1", &["hosts=a.com"]), instance("i-2", &["hosts=a.com"])]);
    assert!(changes.puts.is_empty() && changes.deletions.is_empty(), "{changes:?}");
}

#[test]
fn a_change_touches_the_hosts_of_its_service_only() {
    let mut world = World::new(own());
    world.tags(&id("a"), &["hosts=a.com"]);
    world.tags(&id("b"), &["hosts=b.com"]);
    let changes = world.tags(&id("b"), &["hosts=b.com", "timeout=3s"]);
    let names: Vec<_> = changes.puts.iter().map(|document| document.key.name.as_str()).collect();
    assert_eq!((names, changes.deletions.len()), (vec!["b.com"], 0));
}

#[test]
fn a_canary_with_a_rule_of_its_own_is_reached_by_it_alone() {
    let mut world = World::new(own());
    let canary = Instance { canary: true, ..version("c", 2, true, &["hosts=a.com", "headers.x-canary=1"]) };
    world.set(&id("web"), vec![version("1", 1, true, &["hosts=a.com"]), canary]);
    let with = Request { headers: vec![("X-Canary", "1")], ..get("a.com", "/") };
    let cluster = |request| {
        let upstream =
            world.documents.answer(request).unwrap().route_action.unwrap().single.unwrap().upstream.unwrap();
        world.documents.value(Kind::Upstream, &upstream.name)["nomad"]["canaries"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!((cluster(&with), cluster(&get("a.com", "/"))), ("only".to_owned(), "exclude".to_owned()));
}

#[test]
fn a_promoted_canary_is_an_instance_like_the_others() {
    let mut world = World::new(own());
    let stable = |id| version(id, 2, true, &["hosts=a.com"]);
    let canary = Instance { canary: true, ..version("c", 2, true, &["hosts=a.com", "weight=10"]) };
    world.set(&id("web"), vec![stable("1"), canary]);
    assert_eq!(world.documents.names(Kind::Upstream).len(), 2);
    world.set(&id("web"), vec![stable("1"), stable("c")]);
    assert_eq!(world.documents.names(Kind::Upstream).len(), 1);
    assert!(world.documents.answer(&get("a.com", "/")).unwrap().route_action.unwrap().single.is_some());
}

#[test]
fn services_that_come_together_make_what_they_make_one_by_one() {
    let services: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            let instances = vec![instance("i", &["hosts=a.com", &format!("path=/{name}")])];
            Service { id: id(name), instances }
        })
        .into();
    let mut one_by_one = World::new(own());
    for service in &services {
        one_by_one.set(&service.id, service.instances.clone());
    }
    let mut together = World::new(own());
    let changes = together.table.set_all(services.iter().map(|service| (&service.id, Some(service))));
    together.documents.apply(changes);
    assert_eq!(one_by_one.documents.text(), together.documents.text());
}
