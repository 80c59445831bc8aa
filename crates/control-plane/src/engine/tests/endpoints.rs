//! What happens to endpoints while objects come, go and change.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_anothers_place_has_its_endpoints_at_once() {
    for (before, after) in [("a", "b"), ("b", "a")] {
        let mut world = World::new(Vec::new());
        world.list(vec![gateway(), object(Kind::Upstream, before, WEB), route("v", before)]);
        world.tell(&[9000]);
        let new = [object(Kind::Upstream, after, WEB), route("v", after)].map(Change::Put);
        world.change(new.into_iter().chain([Change::Deleted(key(Kind::Upstream, before))]).collect());
        assert_eq!(world.clusters(), [format!("{after}_default")]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_stops_asking_takes_its_answer_with_it() {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway(), object(Kind::Upstream, "u", WEB), route("v", "u")]);
    world.tell(&[9000]);
    let written = "static: {hosts: [{addr: 127.0.0.1, port: 1}]}\n";
    world.change(vec![Change::Put(object(Kind::Upstream, "u", written))]);
    world.change(vec![Change::Put(object(Kind::Upstream, "u", "consul: {serviceName: other}\n"))]);
    assert!(world.clusters().is_empty(), "nothing is known of the other service");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_of_whose_endpoints_nobody_has_told_is_unknown_until_its_source_says_even_that_there_are_none()
 {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway(), object(Kind::Upstream, "u", WEB), route("v", "u")]);
    assert_eq!(world.unknown(), ["cds/u_default", "eds/u_default"]);
    world.tell(&[]);
    assert_eq!((world.clusters(), world.unknown()), (vec!["u_default".to_owned()], Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_whose_upstream_asks_something_new_is_kept_by_those_who_have_it() {
    let mut world = World::new(Vec::new());
    let written = "static: {hosts: [{addr: 127.0.0.1, port: 1}]}\n";
    world.list(vec![gateway(), object(Kind::Upstream, "u", written), route("v", "u")]);
    assert_eq!(world.clusters(), ["u_default"]);
    world.change(vec![Change::Put(object(Kind::Upstream, "u", WEB))]);
    assert_eq!(world.unknown(), ["cds/u_default", "eds/u_default"], "Envoys keep them");
    world.change(vec![Change::Put(object(Kind::Upstream, "u", written))]);
    assert_eq!((world.clusters(), world.unknown()), (vec!["u_default".to_owned()], Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_nobody_knows_and_nothing_names_is_gone() {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway(), object(Kind::Upstream, "u", WEB), route("v", "u")]);
    world.change(vec![
        Change::Deleted(key(Kind::VirtualService, "v")),
        Change::Deleted(key(Kind::Upstream, "u")),
    ]);
    assert!(world.unknown().is_empty());
    assert!(world.engine.graph().upstreams().is_empty());
}
