//! Machines that come, stop and go under traffic.

use biplane_testkit::{Request, Upstream};

use super::world::World;
use crate::harness::HOST;

#[tokio::test]
async fn machines_come_and_go_and_no_request_fails() {
    let world = World::start(&[("web", "")]).await;
    let (one, two) = (world.listen("one", 1), world.listen("two", 2));
    let first = world.run(1).await;
    world.site.until_upstream("one").await;
    let (counts, load) = (world.site.counts().await, world.site.load());

    let second = world.run(2).await;
    world.site.until_upstream("two").await;
    world.act("TerminateInstances", &first).await;
    world.until_members("web", 1).await;
    answers_alone(&world, &two).await;

    let third = world.run(1).await;
    world.until_members("web", 2).await;
    world.act("StopInstances", &second).await;
    world.until_members("web", 1).await;
    answers_alone(&world, &one).await;
    world.act("StartInstances", &second).await;
    world.until_members("web", 2).await;

    load.stop().assert_clean();
    assert_eq!(world.site.counts().await, counts, "endpoints go by EDS");
    world.act("TerminateInstances", &second).await;
    world.act("TerminateInstances", &third).await;
    world.site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
}

/// Fails unless the next answers are all of one upstream.
async fn answers_alone(world: &World, upstream: &Upstream) {
    let before = upstream.requests();
    for _ in 0..10 {
        assert_eq!(world.site.get("/").await.status, 200);
    }
    assert!(upstream.requests() >= before + 10);
}
