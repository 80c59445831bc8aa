//! What the last run made of services of several sources, of which some are away after the restart.

use super::*;
use biplane_core::resources::metadata::SERVICES;

/// A route that was made of services of these sources.
fn made_of(name: &str, upstream: &str, sources: &[&str]) -> MadeObject {
    let mut route = made_route(name, upstream);
    let services = sources.iter().map(|source| format!("consul {source}/dc1/web"));
    route.value["metadata"]["annotations"] = json!({SERVICES: services.collect::<Vec<_>>().join(", ")});
    route
}

/// A world after a restart, with the sources `a` and `b` of which nothing is known yet.
fn restarted(routes: Vec<MadeObject>) -> World {
    let mut before = World::new(Vec::new());
    before.list(vec![gateway()]);
    before.make(routes, Vec::new());
    let mut world = World::new(before.engine.ingest().good().values().cloned().collect());
    let engine = std::mem::replace(&mut world.engine, World::new(Vec::new()).engine);
    world.engine = engine.with_made(MadeState::waiting(["a".into(), "b".into()]));
    world.list(vec![gateway()]);
    world
}

impl World {
    /// All is known of `a`, and nothing of `b`.
    fn make_of_a(&mut self, puts: Vec<MadeObject>) {
        let waits_for = ["b".into()].into();
        self.engine.on_made(Made { puts, waits_for, ..Made::default() }, self.now);
    }

    fn routes(&self) -> Vec<String> {
        let keys = self.engine.ingest().good().keys();
        keys.filter(|key| key.kind == Kind::VirtualService).map(|key| key.name.clone()).collect()
    }

    fn has(&self, name: &str, text: &str) -> bool {
        let object = self.engine.ingest().good().get(&key(Kind::VirtualService, name));
        object.is_some_and(|object| String::from_utf8_lossy(&object.value).contains(text))
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_source_does_not_show_any_more_goes_though_another_one_is_away() {
    let mut world = restarted(vec![
        made_of("gone", "u", &["a"]),
        made_of("changed", "u", &["a"]),
        made_of("away", "u", &["b"]),
        made_of("both", "u", &["a", "b"]),
    ]);
    let changed = made_of("changed", "now", &["a"]);
    world.make_of_a(vec![changed, made_of("both", "half", &["a"])]);
    assert!(world.has("changed", "now"), "nobody else had a part in it");
    assert!(!world.has("both", "half"), "it lacks the part of the other");
    assert_eq!(world.routes(), ["away", "both", "changed", "gone"], "it may be restarting");
    world.wait(HOLD);
    assert_eq!(world.routes(), ["away", "both", "changed"]);
    world.make(Vec::new(), Vec::new());
    assert!(world.has("both", "half"), "the other has no part in it any more");
    world.wait(HOLD);
    assert_eq!(world.routes(), ["both", "changed"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_of_one_source_is_not_let_go_by_an_acceptance_of_another() {
    let of = |source: &'static str| {
        (0..8).map(move |number| made_of(&format!("{source}{number}"), "u", &[source]))
    };
    let mut world = restarted(of("a").chain(of("b")).collect());
    world.make(Vec::new(), Vec::new());
    world.wait(HOLD);
    assert_eq!(["a", "b"].map(|source| world.engine.held_made(source)), [8, 8]);
    assert_eq!(world.engine.accept_endpoints("a", world.now), 8);
    assert_eq!(["a", "b"].map(|source| world.engine.held_made(source)), [0, 8]);
    assert_eq!(world.routes().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn what_two_sources_had_a_part_in_is_held_as_long_as_one_of_them_is() {
    let shared = (0..8).map(|number| made_of(&format!("m{number}"), "u", &["a", "b"]));
    let mut world = restarted(shared.collect());
    world.make(Vec::new(), Vec::new());
    world.wait(HOLD);
    assert_eq!(["a", "b"].map(|source| world.engine.held_made(source)), [8, 8]);
    assert_eq!(world.engine.accept_endpoints("a", world.now), 0);
    assert_eq!(world.routes().len(), 8);
    assert_eq!(world.engine.accept_endpoints("b", world.now), 8);
    assert!(world.routes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_of_its_source_waits_for_all_of_them() {
    let mut world = restarted(vec![made_route("m", "u")]);
    world.make_of_a(Vec::new());
    world.wait(HOLD);
    assert_eq!(world.routes(), ["m"]);
    world.make(Vec::new(), Vec::new());
    world.wait(HOLD);
    assert!(world.routes().is_empty());
}
