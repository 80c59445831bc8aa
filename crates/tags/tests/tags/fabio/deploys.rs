//! Instances that come, go and disagree.

use biplane_core::key::Kind;
use biplane_tags::finding::Severity;
use biplane_tags::service::Instance;
use serde_json::{Value, json};

use super::{answer, settings, tagged, tells, tells_nothing};
use crate::envoy::get;
use crate::services::{World, id};

/// The weights of a route's upstreams, by what they ask of instances.
fn shares(world: &World, host: &'static str) -> Vec<(Value, Option<u32>)> {
    let action = answer(world, &get(host, "/")).route_action.expect("it goes to upstreams");
    let single = action.single.into_iter().map(|destination| (destination, None));
    let multi = action.multi.into_iter().flat_map(|multi| multi.destinations);
    let multi = multi.map(|weighted| (weighted.destination, weighted.weight));
    let asked = |name: &str| {
        let mut nomad = world.documents.value(Kind::Upstream, name)["nomad"].clone();
        let fields = nomad.as_object_mut().expect("an object");
        fields.retain(|field, _| {
            field.starts_with("instance") || field == "canaries" || field == "serviceName"
        });
        nomad
    };
    single.chain(multi).map(|(to, weight)| (asked(&to.upstream.expect("an upstream").name), weight)).collect()
}

fn set(instances: Vec<Instance>) -> World {
    let mut world = World::new(settings());
    world.set(&id("web"), instances);
    world
}

fn version(id: &str, version: u64, healthy: bool, tags: &[&str]) -> Instance {
    Instance { version, healthy, ..tagged(id, tags) }
}

#[test]
fn instances_without_the_tag_get_no_requests_of_its_route() {
    let world = set(vec![tagged("i-1", &["a.com/", "b.com/"]), tagged("i-2", &["b.com/"])]);
    let with_tag = json!({ "serviceName": "web", "instanceTags": ["urlprefix-a.com/"] });
    assert_eq!(shares(&world, "a.com"), [(with_tag, None)]);
    assert_eq!(shares(&world, "b.com"), [(json!({ "serviceName": "web" }), None)]);
    tells_nothing(&world);
}

#[test]
fn a_rolling_deploy_never_takes_a_route_away() {
    let mut world = World::new(settings());
    let old = |id| version(id, 1, true, &["a.com/"]);
    let new = |id, healthy| version(id, 2, healthy, &["a.com/ prepend=/v2", "b.com/"]);
    let prepended = |world: &World| {
        answer(world, &get("a.com", "/")).options.and_then(|options| options.prefix_rewrite).is_some()
    };
    for (instances, is_new) in [
        (vec![old("1"), old("2")], false),
        (vec![old("1"), old("2"), new("3", false)], false),
        (vec![old("1"), new("3", true)], true),
        (vec![new("3", false), new("4", false)], true),
        (vec![new("3", true), new("4", true)], true),
    ] {
        world.set(&id("web"), instances);
        assert_eq!(prepended(&world), is_new);
        // All that have the route get its requests, whatever their tag says of it.
        assert_eq!(shares(&world, "a.com"), [(json!({ "serviceName": "web" }), None)]);
    }
    tells_nothing(&world);
}

#[test]
fn instances_that_say_otherwise_are_told_during_a_deploy() {
    let world = set(vec![version("1", 1, true, &["a.com/"]), version("2", 2, true, &["a.com/ prepend=/v2"])]);
    tells(&world, Severity::Warning, "instance 2 says otherwise about this route, and counts");
}

#[test]
fn a_weight_is_that_of_each_instance() {
    let light = |id| tagged(id, &["a.com/ weight=0.1"]);
    let heavy = |id| tagged(id, &["a.com/"]);
    let sick = Instance { healthy: false, ..light("5") };
    let world = set(vec![light("1"), light("2"), heavy("3"), heavy("4"), sick]);
    let by_tag = |tag: &str| json!({ "serviceName": "web", "instanceTags": [tag] });
    let expected =
        [(by_tag("urlprefix-a.com/ weight=0.1"), Some(2000)), (by_tag("urlprefix-a.com/"), Some(8000))];
    assert_eq!(shares(&world, "a.com"), expected);
    tells_nothing(&world);
}

#[test]
fn canaries_take_their_weight() {
    let canary = Instance { canary: true, version: 2, ..tagged("3", &["a.com/ weight=0.05"]) };
    let world = set(vec![tagged("1", &["a.com/"]), tagged("2", &["a.com/"]), canary]);
    let pick = |canaries: &str| json!({ "serviceName": "web", "canaries": canaries });
    assert_eq!(shares(&world, "a.com"), [(pick("exclude"), Some(9500)), (pick("only"), Some(500))]);
    tells_nothing(&world);
}

#[test]
fn canaries_that_treat_a_route_otherwise_get_none_of_it() {
    let canary = Instance { canary: true, version: 2, ..tagged("3", &["a.com/ strip=/x", "b.com/"]) };
    let world = set(vec![tagged("1", &["a.com/ allow=ip:10.0.0.0/8"]), canary]);
    assert_eq!(world.documents.status(&get("a.com", "/")), Some(403));
    tells(&world, Severity::Error, "the route's options are not those of another tag");
    assert_eq!(shares(&world, "b.com"), [(json!({ "serviceName": "web", "canaries": "only" }), None)]);
}

#[test]
fn a_route_stays_while_no_instance_is_healthy_and_goes_with_the_service() {
    let mut world = set(vec![version("1", 1, false, &["a.com/"])]);
    assert_eq!(shares(&world, "a.com").len(), 1);
    world.remove(&id("web"));
    assert_eq!(world.documents.text(), "[]");
    tells_nothing(&world);
}

#[test]
fn of_two_tags_for_one_route_the_first_counts() {
    let world = set(vec![tagged("1", &["a.com/ prepend=/first", "a.com/ prepend=/second"])]);
    let options = answer(&world, &get("a.com", "/")).options.expect("options");
    assert_eq!(options.prefix_rewrite.as_deref(), Some("/first/"));
    tells(&world, Severity::Warning, "another tag of the instance has this route");
}

#[test]
fn what_all_instances_say_is_told_once() {
    let world = set(vec![tagged("1", &["a.com/ x=1"]), tagged("2", &["a.com/ x=1"])]);
    assert_eq!(world.findings().len(), 1, "{:#?}", world.findings());
}

#[test]
fn a_service_that_says_the_same_again_changes_nothing() {
    let mut world = set(vec![tagged("1", &["a.com/", "/x allow=ip:10.0.0.0/8"])]);
    let tags = ["a.com/", "/x allow=ip:10.0.0.0/8"];
    let changes = world.set(&id("web"), vec![tagged("1", &tags), tagged("2", &tags)]);
    assert!(changes.puts.is_empty() && changes.deletions.is_empty(), "{changes:?}");
}
