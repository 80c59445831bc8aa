//! Servers that have forgotten something.

use std::time::{Duration, Instant};

use biplane_nomad::{NomadOptions, Tuning};
use biplane_source::{EndpointSource as _, Listing, Phase, ServiceSource as _};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::nomad::Job;
use biplane_testkit::{Nomad, TempDir, throughout};
use futures::FutureExt as _;
use futures::StreamExt as _;

use crate::harness::{
    World, complete, connect, next, options, registered, unchecked, until, until_phase, until_usable, usable,
    watch,
};

/// Waits until the watch says that the servers are not believed. Nothing may be told as gone meanwhile.
macro_rules! until_suspect {
    ($watch:expr) => {{
        let told = until($watch, "suspicion", |told| {
            matches!(told, Listing::Failed(error) if error.message.starts_with("suspect"))
        })
        .await;
        let lost = told.iter().find(|told| matches!(told, Listing::Complete(found) if usable(found).is_empty()));
        assert_eq!(lost, None, "endpoints are lost");
    }};
}

#[tokio::test]
async fn a_nomad_that_starts_empty_takes_no_endpoint_away_until_its_jobs_run_or_somebody_says_so() {
    let directory = TempDir::new("nomad");
    let mut nomad = Nomad::start(&directory).await;
    let job = |id: &str| unchecked(Job::new(id));
    for id in ["web", "other"] {
        nomad.run(&job(id)).await.expect("run");
        registered(&nomad, "default", id, 1).await;
    }
    let source = connect(options(nomad.address()));
    let (mut web, mut other) = (watch(&source, "web"), watch(&source, "other"));
    let own = options(nomad.address());
    let impatient = Tuning { hold: Duration::from_secs(1), ..own.tuning.clone() };
    let impatient = connect(NomadOptions { tuning: impatient, ..own });
    let mut soon = watch(&impatient, "other");
    until_usable(&mut soon, 1).await;
    let mut list = source.services();
    until_usable(&mut web, 1).await;
    until_usable(&mut other, 1).await;
    until(&mut list, "both", |told| matches!(told, Listing::Complete(all) if all.len() == 2)).await;

    nomad.kill();
    nomad.wipe();
    // All at once: who looks later than it takes to believe the servers again sees only that.
    tokio::join!(
        nomad.start_again(),
        async { until_suspect!(&mut web) },
        async { until_suspect!(&mut other) },
        async { until_suspect!(&mut soon) },
        until_phase(&source, Phase::Failed),
    );
    // In time the servers are believed, but what is gone is not.
    until_phase(&source, Phase::Complete).await;
    throughout("what was known", Duration::from_secs(2), async || {
        for watch in [&mut web, &mut other] {
            let told = watch.next().now_or_never().flatten();
            anyhow::ensure!(!matches!(told, Some(Listing::Complete(_))), "{told:?}");
        }
        Ok(())
    })
    .await;
    // Whoever has not looked meanwhile has missed nothing: it is the list of before.
    if let Some(Listing::Complete(listed)) = list.next().now_or_never().flatten() {
        assert_eq!(listed.len(), 2, "what is held is listed: its routes stay");
    }
    assert!(source.counters()["suspicions"] > 0);

    // Not for ever.
    until(&mut soon, "its end", |told| matches!(told, Listing::Complete(found) if found.is_empty())).await;

    nomad.run(&job("web")).await.expect("run");
    registered(&nomad, "default", "web", 1).await;
    until_usable(&mut web, 1).await;
    source.accept();
    until(&mut other, "what was meant", |told| matches!(told, Listing::Complete(found) if found.is_empty()))
        .await;
    until(&mut list, "the one", |told| matches!(told, Listing::Complete(all) if all.len() == 1)).await;
}

#[tokio::test]
async fn servers_that_have_gone_back_are_believed_when_they_have_said_the_same_for_a_while() {
    let world = World::http().await;
    world.up(&unchecked(world.job("web"))).await;
    let source = world.source();
    let mut watch = watch(&source, "web");
    until_usable(&mut watch, 1).await;
    let earlier =
        Answer::status(200).header("x-nomad-index", "5").header("x-nomad-knownleader", "true").body("[]");
    world.link.answer(Matcher::path("/v1/service"), earlier, ALWAYS);
    let since = Instant::now();
    source.refresh();
    until_suspect!(&mut watch);
    until(&mut watch, "what they say", |told| matches!(told, Listing::Complete(found) if found.is_empty()))
        .await;
    assert!(since.elapsed() >= world.options().tuning.confirm, "too soon: {:?}", since.elapsed());
}

#[tokio::test]
async fn a_service_that_is_stopped_is_told_as_such_at_once() {
    let directory = TempDir::new("nomad");
    let nomad = Nomad::start(&directory).await;
    let job = unchecked(Job::new("web"));
    nomad.run(&job).await.expect("run");
    registered(&nomad, "default", "web", 1).await;
    let source = connect(options(nomad.address()));
    let mut watch = watch(&source, "web");
    until_usable(&mut watch, 1).await;
    nomad.stop(&job, true).await.expect("stopped");
    until(&mut watch, "its end", |told| matches!(told, Listing::Complete(found) if found.is_empty())).await;
    nomad.run(&job).await.expect("run");
    until_usable(&mut watch, 1).await;
    let mut late = source.watch(&crate::harness::request(crate::harness::service("web")));
    assert_eq!(usable(&complete(next(&mut late).await)).len(), 1);
}
