//! What first answers wait for.

use super::made::left;
use super::*;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn first_answers_wait_for_the_services_of_a_required_source_as_long_as_it_takes() {
    let mut world = World::with(Vec::new(), true);
    world.list(vec![gateway()]);
    world.make_some(Vec::new(), Vec::new());
    world.wait(HOUR);
    assert!(!world.fleets.is_open(), "routes that tags make would be missing");
    assert_eq!(world.engine.awaited_sources(), ["consul"]);
    world.make(vec![made_route("m", "m")], Vec::new());
    assert!(world.fleets.is_open());
}

#[tokio::test(start_paused = true)]
async fn first_answers_wait_a_moment_for_the_services_of_other_sources() {
    let mut world = World::new(Vec::new());
    world.list(vec![gateway()]);
    assert!(!world.fleets.is_open());
    world.wait(Duration::from_secs(5));
    assert!(world.fleets.is_open());
}

#[tokio::test(start_paused = true)]
async fn first_answers_wait_for_no_services_of_which_the_last_run_left_what_it_made() {
    let mut world = World::with(left(2), true);
    world.list(vec![gateway()]);
    assert!(world.fleets.is_open());
    let m0 = key(Kind::VirtualService, "m0");
    assert!(world.engine.ingest().left_owners(&m0).is_some(), "and it is served");
}

#[tokio::test(start_paused = true)]
async fn what_the_last_run_made_of_another_store_stands_for_no_services() {
    let mut world = World::with(left(2), true);
    world.engine = std::mem::replace(&mut world.engine, World::new(Vec::new()).engine)
        .with_made(MadeState::default())
        .with_made(MadeState::waiting(["consul".into()]));
    world.list(vec![gateway()]);
    world.wait(HOUR);
    assert!(!world.fleets.is_open());
}
