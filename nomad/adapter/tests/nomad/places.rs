//! Who is watched, where, and for how long.

use biplane_core::resources::upstream::discovery::NomadUpstream;
use biplane_nomad::NomadOptions;
use biplane_source::{Cause, EndpointSource as _, Phase};
use biplane_testkit::eventually;

use crate::harness::{
    PATIENCE, World, connect, request, service, unchecked, until_failed, until_phase, until_usable, watch,
};

#[tokio::test]
async fn a_source_that_nobody_asks_knows_whether_it_can_be_read() {
    let world = World::new().await;
    let source = connect(NomadOptions { required: true, ..world.options() });
    assert!(!source.state().borrow().is_ready() || source.state().borrow().known);
    assert!(until_phase(&source, Phase::Complete).await.is_ready());
    world.link.cut();
    until_phase(&source, Phase::Failed).await;
    world.link.heal();
    until_phase(&source, Phase::Complete).await;
}

#[tokio::test]
async fn a_region_is_asked_by_its_name() {
    let world = World::new().await;
    world.up(&unchecked(world.job("web"))).await;
    let source = world.source();
    let of = |region: &str| request(NomadUpstream { region: Some(region.into()), ..service("web") });
    until_usable(&mut source.watch(&of("global")), 1).await;
    let mut nowhere = source.watch(&of("nowhere"));
    let error = until_failed(&mut nowhere, 0).await;
    assert_eq!(error.cause, Cause::Invalid, "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("region=")), "{}", error.message);
    until_phase(&source, Phase::Failed).await;
    // Nobody asks for it any more.
    drop(nowhere);
    until_phase(&source, Phase::Complete).await;
}

#[tokio::test]
async fn nothing_is_read_for_a_service_that_nobody_watches_any_more() {
    let world = World::http().await;
    let job = world.job("web");
    world.up(&job).await;
    let source = world.source();
    let mut watched = watch(&source, "web");
    until_usable(&mut watched, 1).await;
    let asked = || world.link.seen().iter().filter(|seen| seen.target.contains("/checks")).count();
    let before = asked();
    eventually("checks that are looked at", PATIENCE, async || {
        anyhow::ensure!(asked() > before, "not yet");
        Ok(())
    })
    .await;
    drop(watched);
    // One may be under way.
    let mut last = asked();
    eventually("an end of it", PATIENCE, async || {
        let (before, now) = (last, asked());
        last = now;
        anyhow::ensure!(before == now, "{now} were asked");
        tokio::time::sleep(world.options().check_interval * 3).await;
        anyhow::ensure!(asked() == now, "more were asked");
        Ok(())
    })
    .await;
}
