//! What is missed: events, pages, answers.

use std::time::Duration;

use biplane_nomad::{NomadOptions, Tuning};
use biplane_source::{EndpointSource as _, Listing, Phase};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::nomad::Job;
use biplane_testkit::{Nomad, TempDir, eventually};

use crate::harness::{
    PATIENCE, World, complete, connect, next, options, registered, unchecked, until, until_failed,
    until_phase, until_usable, usable, watch,
};

#[tokio::test]
async fn a_stream_that_breaks_off_is_opened_again_and_what_was_missed_is_read() {
    let world = World::http().await;
    let job = unchecked(world.job("web"));
    world.up(&job).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    until_usable(&mut watch, 1).await;
    let before = source.counters();
    // Requests go through, only nobody may listen.
    world.link.answer(Matcher::path("/v1/event/"), Answer::status(500), 3);
    world.link.reset();
    world.up(&Job { count: 2, ..job.clone() }).await;
    until_usable(&mut watch, 2).await;
    eventually("the stream again", PATIENCE, async || {
        let now = source.counters();
        anyhow::ensure!(now["streams"] > before["streams"] && now["gaps"] > before["gaps"], "{now:?}");
        Ok(())
    })
    .await;
    world.up(&Job { count: 3, ..job }).await;
    until_usable(&mut watch, 3).await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_given_up() {
    let world = World::new().await;
    let job = unchecked(world.job("web"));
    world.up(&job).await;
    let tuning = Tuning { silence: Duration::from_secs(2), ..world.options().tuning };
    let source = connect(NomadOptions { tuning, timeout: Duration::from_secs(2), ..world.options() });
    let mut watch = watch(&source, "web");
    until_usable(&mut watch, 1).await;
    world.link.blackhole();
    let error = until_failed(&mut watch, 1).await;
    assert!(error.message.contains("no answer"), "{error}");
    until_phase(&source, Phase::Failed).await;
    world.up(&Job { count: 2, ..job }).await;
    world.link.heal();
    until_usable(&mut watch, 2).await;
    assert!(source.counters()["gaps"] > 0);
}

#[tokio::test]
async fn a_nomad_without_events_is_looked_at_often() {
    let directory = TempDir::new("nomad");
    let nomad = Nomad::builder().without_events().start(&directory).await;
    let own = options(nomad.address());
    let tuning = Tuning { poll: Duration::from_secs(1), ..own.tuning.clone() };
    let source = connect(NomadOptions { tuning, ..own });
    let mut watch = watch(&source, "web");
    assert_eq!(complete(next(&mut watch).await), []);
    for count in [1, 2] {
        nomad.run(&Job { count, ..unchecked(Job::new("web")) }).await.expect("run");
        registered(&nomad, "default", "web", count).await;
        until_usable(&mut watch, count).await;
    }
    assert_eq!(source.counters()["streams"], 0);
}

#[tokio::test]
async fn all_pages_of_a_service_are_followed_or_it_is_a_failure() {
    let world = World::http().await;
    let job = Job { count: 3, ..unchecked(world.job("web")) };
    world.up(&job).await;
    let paged = || {
        let tuning = Tuning { page: 1, ..world.options().tuning };
        connect(NomadOptions { tuning, ..world.options() })
    };
    let source = paged();
    assert_eq!(until_usable(&mut watch(&source, "web"), 3).await.len(), 3);
    let followed = world.link.seen().into_iter().filter(|seen| seen.target.contains("next_token=")).count();
    assert!(followed >= 2, "{followed} pages were followed");
    drop(source);
    world.link.answer(Matcher::path("/v1/service/").query("next_token"), Answer::status(500), ALWAYS);
    let source = paged();
    let error = until_failed(&mut watch(&source, "web"), 3).await;
    assert!(error.message.contains("it answered 500"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_old_has_no_leader_or_is_not_nomads_is_a_failure() {
    let world = World::http().await;
    world.up(&unchecked(world.job("web"))).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    until_usable(&mut watch, 1).await;
    let said = |leader: &str, contact: &str| {
        Answer::status(200)
            .header("x-nomad-index", "1000000")
            .header("x-nomad-knownleader", leader)
            .header("x-nomad-lastcontact", contact)
            .body("[]")
    };
    for (answer, words) in [
        (said("false", "0"), "no leader"),
        (said("true", "60000"), "has not heard from the leader"),
        (Answer::status(200).body("[]"), "something else than Nomad"),
        (Answer::status(502).body("<html>"), "it answered 502"),
    ] {
        world.link.answer(Matcher::path("/v1/services"), answer, ALWAYS);
        source.refresh();
        let told = until(
            &mut watch,
            words,
            |told| matches!(told, Listing::Failed(error) if error.message.contains(words)),
        )
        .await;
        assert!(
            told.iter().all(|told| !matches!(told, Listing::Complete(found) if usable(found).is_empty()))
        );
        world.link.heal();
        until_usable(&mut watch, 1).await;
    }
}

#[tokio::test]
async fn an_agent_that_wants_to_be_left_alone_is() {
    let world = World::http().await;
    world.up(&unchecked(world.job("web"))).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    until_usable(&mut watch, 1).await;
    world.link.answer(Matcher::path("/v1/services"), Answer::status(429).header("retry-after", "60"), 1);
    source.refresh();
    let error = until_failed(&mut watch, 1).await;
    assert!(error.message.contains("limits the rate"), "{error}");
    let asked = world.link.requests();
    biplane_testkit::throughout("silence", Duration::from_secs(3), async || {
        let now = world.link.requests();
        // The stream of events is one of its own, and had not asked for anything.
        anyhow::ensure!(now <= asked + 1, "{} more requests", now - asked);
        Ok(())
    })
    .await;
    assert_eq!(source.counters()["rate_limited"], 1);
}
