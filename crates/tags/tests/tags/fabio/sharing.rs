//! Routes that several services have.

use biplane_core::key::Kind;
use biplane_tags::finding::Severity;
use biplane_tags::service::ServiceId;
use biplane_tags::settings::{PolicyRule, SharedHosts};

use super::{answer, settings, tagged, tells, tells_nothing};
use crate::envoy::get;
use crate::services::{World, id, in_namespace};

/// The services of a route with their weights.
fn services(world: &World, host: &'static str) -> Vec<(String, u32)> {
    let action = answer(world, &get(host, "/")).route_action.expect("it goes to upstreams");
    let single = action.single.into_iter().map(|destination| (destination, 1));
    let multi = action.multi.into_iter().flat_map(|multi| multi.destinations);
    let all = single.chain(multi.map(|each| (each.destination, each.weight.unwrap_or_default())));
    all.map(|(to, weight)| {
        let name = to.upstream.expect("an upstream").name;
        let service = world.documents.value(Kind::Upstream, &name)["nomad"]["serviceName"].clone();
        (service.as_str().expect("a name").to_owned(), weight)
    })
    .collect()
}

fn add(world: &mut World, service: &ServiceId, tags: &[&str], instances: usize) {
    let instances = (0..instances).map(|index| tagged(&format!("i-{index}"), tags)).collect();
    world.set(service, instances);
}

fn named(names: &[(&str, u32)]) -> Vec<(String, u32)> {
    names.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect()
}

#[test]
fn services_share_a_route_by_their_instances() {
    let mut world = World::new(settings());
    add(&mut world, &id("b"), &["a.com/"], 3);
    assert_eq!(services(&world, "a.com"), named(&[("b", 1)]));
    add(&mut world, &id("a"), &["a.com/ proto=https tlsskipverify=true"], 1);
    assert_eq!(services(&world, "a.com"), named(&[("a", 1), ("b", 3)]));
    add(&mut world, &id("a"), &["a.com/ weight=0.2"], 2);
    assert_eq!(services(&world, "a.com"), named(&[("a", 4000), ("b", 6000)]));
    world.remove(&id("a"));
    assert_eq!(services(&world, "a.com"), named(&[("b", 1)]));
    tells_nothing(&world);
}

#[test]
fn a_service_that_treats_a_route_otherwise_is_told_with_the_other() {
    let mut world = World::new(settings());
    add(&mut world, &id("a"), &["a.com/ deny=ip:192.0.2.0/24"], 1);
    add(&mut world, &id("b"), &["a.com/"], 1);
    assert_eq!(world.documents.status(&get("a.com", "/")), Some(403));
    tells(&world, Severity::Error, "the route's options are not those of another tag");
    assert!(
        world.findings().iter().all(|finding| finding.service == id("b") && finding.other == Some(id("a")))
    );
    world.remove(&id("a"));
    assert_eq!(services(&world, "a.com"), named(&[("b", 1)]));
    tells_nothing(&world);
}

#[test]
fn other_namespaces_get_no_part_of_a_route() {
    let other = in_namespace("other", "web");
    let mut world = World::new(settings());
    add(&mut world, &id("web"), &["a.com/"], 1);
    add(&mut world, &other, &["a.com/"], 5);
    assert_eq!(services(&world, "a.com").len(), 1);
    assert!(world.findings().iter().any(|finding| finding.service == other), "{:#?}", world.findings());
    let mut settings = settings();
    settings.shared_hosts = SharedHosts::Anyone;
    let mut world = World::new(settings);
    add(&mut world, &id("web"), &["a.com/"], 1);
    add(&mut world, &other, &["a.com/"], 5);
    assert_eq!(services(&world, "a.com"), named(&[("web", 1), ("web", 5)]));
}

#[test]
fn nobody_gets_by_another_services_leave_what_the_policy_refuses() {
    let mut settings = settings();
    let rule = PolicyRule {
        services: vec!["b".to_owned()],
        hosts: vec!["a.com".to_owned()],
        ..PolicyRule::default()
    };
    settings.policy = vec![rule];
    let mut world = World::new(settings);
    add(&mut world, &id("a"), &["a.com/"], 1);
    add(&mut world, &id("b"), &["a.com/"], 1);
    add(&mut world, &id("c"), &["a.com/"], 1);
    assert_eq!(services(&world, "a.com"), named(&[("b", 1)]));
    tells(&world, Severity::Error, "no rule of the policy is for this service");
}

#[test]
fn the_way_to_a_state_does_not_matter() {
    let steps: [(&str, &[&str]); 6] = [
        ("c", &["a.com/", "/"]),
        ("a", &["a.com/ weight=0.5"]),
        ("b", &["a.com/", "b.com/"]),
        ("a", &["b.com/"]),
        ("c", &["a.com/"]),
        ("a", &["a.com/", "b.com/"]),
    ];
    let mut walked = World::new(settings());
    for (name, tags) in steps {
        add(&mut walked, &id(name), tags, 2);
    }
    let mut direct = World::new(settings());
    for (name, tags) in &steps[2..] {
        if !matches!((*name, tags.len()), ("a", 1)) {
            add(&mut direct, &id(name), tags, 2);
        }
    }
    assert_eq!(walked.documents.text(), direct.documents.text());
    assert_eq!(walked.findings(), direct.findings());
}

#[test]
fn a_host_with_the_port_of_the_protocol_comes_before_the_host_alone() {
    let mut world = World::new(settings());
    add(&mut world, &id("app"), &["a.com/", "/"], 1);
    add(&mut world, &id("redirect"), &["a.com:80/ redirect=301,https://b.com:81/x", "*/"], 1);
    let plain = get("a.com", "/");
    assert!(answer(&world, &plain).redirect_action.is_some());
    assert_eq!(world.documents.name(&super::over_tls(plain.clone())).as_deref(), Some("a.com/~tls@fabio"));
    assert_eq!(world.documents.name(&get("c.com", "/")).as_deref(), Some("*/@fabio"));
    tells_nothing(&world);
    world.remove(&id("redirect"));
    assert_eq!(world.documents.name(&plain).as_deref(), Some("a.com/@fabio"));
    assert_eq!(world.documents.name(&get("c.com", "/")).as_deref(), Some("/@fabio"));
}
