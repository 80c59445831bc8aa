//! What was made of services beside what people write, in every order of events.

use super::*;

fn served(world: &World, kind: Kind, name: &str) -> Option<String> {
    let object = world.engine.ingest().good().get(&key(kind, name))?;
    Some(String::from_utf8_lossy(&object.value).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_made_upstream_that_comes_into_its_own_keeps_its_endpoints() {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway(), object(Kind::Upstream, "u", WEB), route("v", "u")]);
    world.tell(&[9000]);
    world.make(vec![made_upstream("u", "web")], Vec::new());
    world.change(vec![Change::Deleted(key(Kind::Upstream, "u"))]);
    world.wait(HOLD);
    assert!(world.engine.ingest().is_made(&key(Kind::Upstream, "u")));
    assert_eq!(world.clusters(), ["u_default"]);
}

#[tokio::test(start_paused = true)]
async fn a_made_upstream_that_is_made_again_while_its_deletion_waits_stays() {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway(), route("v", "u")]);
    world.make(vec![made_upstream("u", "web")], Vec::new());
    world.tell(&[9000]);
    world.make(Vec::new(), vec![key(Kind::Upstream, "u")]);
    assert_eq!(world.engine.holds().iter().count(), 1);
    world.make(vec![made_upstream("u", "web")], Vec::new());
    assert_eq!(world.engine.holds().iter().count(), 0);
    assert_eq!(world.clusters(), ["u_default"]);
}

#[tokio::test(start_paused = true)]
async fn made_objects_whose_deletion_waits_are_not_taken_for_the_stores() {
    let mut world = World::new(Vec::new());
    let names: Vec<_> = (0..8).map(|number| format!("m{number}")).collect();
    let routes = names.iter().map(|name| route(&format!("v-{name}"), name));
    world.list([gateway()].into_iter().chain(routes).collect());
    world.make(names.iter().map(|name| made_upstream(name, name)).collect(), Vec::new());
    world.make(Vec::new(), names.iter().map(|name| key(Kind::Upstream, name)).collect());
    assert_eq!(world.engine.holds().iter().count(), 8);
    world.change(vec![Change::Deleted(key(Kind::VirtualService, "v-m0"))]);
    assert!(world.engine.guard().suspicion().is_none(), "one of nine objects is gone");
}

#[tokio::test(start_paused = true)]
async fn a_made_object_that_did_not_decode_once_is_used_when_it_does() {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway()]);
    world.make(vec![made(Kind::Upstream, "u", json!({"consul": {"nonsense": 1}}))], Vec::new());
    assert_eq!(served(&world, Kind::Upstream, "u"), None);
    world.make(vec![made_upstream("u", "web")], Vec::new());
    assert!(served(&world, Kind::Upstream, "u").is_some());
    world.make(vec![made(Kind::Upstream, "u", json!({"consul": {"nonsense": 1}}))], Vec::new());
    world.list(vec![gateway()]);
    assert!(served(&world, Kind::Upstream, "u").is_some(), "its last good version stays");
    world.make(Vec::new(), vec![key(Kind::Upstream, "u")]);
    assert_eq!(world.engine.findings().located(), []);
}

#[tokio::test(start_paused = true)]
async fn a_made_object_is_used_when_a_bad_one_of_its_name_is_gone() {
    let mut world = World::new(Vec::new());
    let bad = object(Kind::Upstream, "u", "consul: {nonsense: 1}\n");
    world.list(vec![gateway(), bad.clone()]);
    world.make(vec![made_upstream("u", "web")], Vec::new());
    assert_eq!(served(&world, Kind::Upstream, "u"), None, "somebody is writing it");
    world.change(vec![Change::Deleted(key(Kind::Upstream, "u"))]);
    assert!(served(&world, Kind::Upstream, "u").is_some());

    world.make(Vec::new(), vec![key(Kind::Upstream, "u")]);
    world.list(vec![gateway(), bad]);
    world.make(vec![made_upstream("u", "web")], Vec::new());
    world.list(vec![gateway()]);
    assert!(served(&world, Kind::Upstream, "u").is_some(), "a listing says so as well");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_wrote_comes_first_though_the_store_fails_after_the_services_came() {
    let mut world = World::new(vec![gateway(), object(Kind::Upstream, "u", WEB)]);
    world.make(vec![made_upstream("u", "made")], Vec::new());
    world.fail();
    world.make(vec![made_upstream("u", "made-anew")], Vec::new());
    assert_eq!(served(&world, Kind::Upstream, "u").map(|text| text.contains(WEB)), Some(true));
    world.list(vec![gateway()]);
    world.wait(HOLD);
    assert_eq!(served(&world, Kind::Upstream, "u").map(|text| text.contains("made-anew")), Some(true));
}

/// What a run leaves that made routes of so many services.
pub(super) fn left(services: usize) -> Vec<StoredObject> {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway()]);
    let routes = (0..services).map(|number| format!("m{number}"));
    world.make(routes.map(|name| made_route(&name, &name)).collect(), Vec::new());
    world.engine.ingest().good().values().cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn routes_of_the_last_run_stay_if_no_service_is_there_until_somebody_means_it() {
    let mut world = World::new(left(8));
    world.list(vec![gateway()]);
    world.make(Vec::new(), Vec::new());
    world.wait(HOLD);
    assert!(served(&world, Kind::VirtualService, "m0").is_some());
    assert_eq!(world.engine.held_made("consul"), 8);
    world.make(vec![made_route("m0", "m0")], Vec::new());
    assert_eq!(world.engine.accept_endpoints("consul", world.now), 7);
    assert!(served(&world, Kind::VirtualService, "m0").is_some(), "its service is back");
    assert_eq!(served(&world, Kind::VirtualService, "m1"), None);
}

#[tokio::test(start_paused = true)]
async fn a_route_of_the_last_run_goes_if_its_service_has_not_come_back_after_a_while() {
    let mut world = World::new(left(8));
    world.list(vec![gateway()]);
    let others = (1..8).map(|number| format!("m{number}"));
    world.make(others.map(|name| made_route(&name, &name)).collect(), Vec::new());
    assert!(served(&world, Kind::VirtualService, "m0").is_some(), "it may be restarting");
    world.wait(HOLD);
    assert_eq!(served(&world, Kind::VirtualService, "m0"), None);
}

#[tokio::test(start_paused = true)]
async fn routes_of_the_last_run_go_if_services_become_nothing_any_more() {
    let mut world = World::new(left(2));
    world.engine =
        std::mem::replace(&mut world.engine, World::new(Vec::new()).engine).with_made(MadeState::default());
    world.list(vec![gateway()]);
    assert_eq!(served(&world, Kind::VirtualService, "m0"), None);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_read_after_a_restart_costs_only_what_may_be_of_it() {
    let mut world = World::new(left(2));
    world.list(vec![gateway()]);
    world.make_some(vec![made_route("m0", "m0"), made_route("m1", "changed-meanwhile")], Vec::new());
    world.make_some(vec![made_route("m0", "changed-now"), made_route("new", "new")], Vec::new());
    let has = |name: &str, text: &str| {
        served(&world, Kind::VirtualService, name).is_some_and(|value| value.contains(text))
    };
    assert!(has("m0", "changed-now"), "all of it was known");
    assert!(!has("m1", "changed-meanwhile"), "it may lack what others had in it");
    world.make_some(Vec::new(), vec![key(Kind::VirtualService, "new")]);
    assert_eq!(served(&world, Kind::VirtualService, "new"), None);
}

#[tokio::test(start_paused = true)]
async fn upstreams_that_stand_for_destinations_hide_no_shrinking_store() {
    let mut world = World::new(Vec::new());
    let routes: Vec<_> = (0..40)
        .map(|number| format!("{{routeAction: {{single: {{consul: {{serviceName: s{number}}}}}}}}}"))
        .collect();
    let service =
        object(Kind::VirtualService, "v", &format!("virtualHost: {{routes: [{}]}}\n", routes.join(", ")));
    let upstreams = (0..10).map(|number| object(Kind::Upstream, &format!("u{number}"), WEB));
    world.list([gateway(), service].into_iter().chain(upstreams).collect());
    world.change((0..6).map(|number| Change::Deleted(key(Kind::Upstream, &format!("u{number}")))).collect());
    assert!(world.engine.guard().suspicion().is_some(), "six of ten are gone");
}
