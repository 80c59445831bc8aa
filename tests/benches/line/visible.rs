//! One virtual service among a thousand edited, until a request through Envoy shows it; and what Envoy takes of
//! that, with the same route configuration from the replay server.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use biplane_testkit::xds::type_url;
use biplane_testkit::{Biplane, Request, TempDir, Upstream};

use crate::changes::start_envoy;
use crate::message::Prepared;
use crate::replay::{Replay, Resources};
use crate::report::Row;
use crate::subscriber::Subscriber;
use crate::world::{Change, REVISION, Size, World};

/// What was measured of Gloo: a thousand services.
const SIZE: Size = Size { services: 1_000, routes: 1, upstreams: 1_000 };

/// Milliseconds, median (issue 3).
const BAR: f64 = 30.0;

/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two requests: short against what is measured, long enough to leave Envoy its cores.
const INTERVAL: Duration = Duration::from_micros(500);

/// Between two changes, so that each meets a machine at rest.
const REST: Duration = Duration::from_millis(30);

/// All rows.
pub(crate) async fn measure(changes: usize) -> Result<Vec<Row>> {
    let directory = TempDir::new("bench-visible");
    let backend = Upstream::start("backend");
    let world = World::write(SIZE, &directory, backend.address());
    let mut biplane = Biplane::start(world.files.root(), &directory).await;
    let edits = through_biplane(&world, &biplane, &directory, changes).await.context("through Biplane")?;
    let (resources, versions) = versions(&world, &biplane, changes).await?;
    biplane.stop().await;
    let replays =
        through_replay(&world, resources, &versions, &directory).await.context("through the replay")?;
    let size = format!("{} virtual services", SIZE.services);
    Ok(vec![
        Row::times("one virtual service: edit to a request", &*size, &edits).below(BAR),
        Row::times("one virtual service: floor, replay to a request", &*size, &replays),
    ])
}

async fn through_biplane(
    world: &World,
    biplane: &Biplane,
    directory: &TempDir,
    changes: usize,
) -> Result<Vec<Duration>> {
    let mut envoy = start_envoy(biplane.xds(), directory).await;
    let mut times = Vec::new();
    for turn in 1..=changes {
        tokio::time::sleep(REST).await;
        let started = Instant::now();
        world.change(Change::Route, turn);
        times.push(shown(world, turn).await? - started);
    }
    envoy.stop().await;
    Ok(times)
}

/// Everything that Envoy gets, and a version of the route configuration for each change.
async fn versions(world: &World, biplane: &Biplane, changes: usize) -> Result<(Resources, Vec<Prepared>)> {
    let mut subscriber = Subscriber::complete(biplane.xds(), world).await?;
    let mut versions = Vec::new();
    for turn in 1..=changes {
        world.change(Change::Route, turn);
        subscriber.until(type_url::ROUTE).await?;
        subscriber.settle().await;
        versions.push(Prepared::new(type_url::ROUTE, subscriber.resources[type_url::ROUTE].values(), &[]));
    }
    Ok((subscriber.resources.clone(), versions))
}

async fn through_replay(
    world: &World,
    resources: Resources,
    versions: &[Prepared],
    directory: &TempDir,
) -> Result<Vec<Duration>> {
    let replay = Replay::start(resources).await?;
    let mut envoy = start_envoy(replay.address, directory).await;
    let mut times = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        tokio::time::sleep(REST).await;
        let started = Instant::now();
        replay.push(version);
        times.push(shown(world, index + 1).await? - started);
    }
    envoy.stop().await;
    Ok(times)
}

/// When the first answer came that has the turn's header.
async fn shown(world: &World, turn: usize) -> Result<Instant> {
    let (domain, path) = world.changed_route();
    let (request, wanted) = (Request::get(&domain, &path), turn.to_string());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = request.send(world.port).await?;
        let now = Instant::now();
        if answer.header(REVISION) == Some(&*wanted) {
            return Ok(now);
        }
        ensure!(
            now < deadline,
            "turn {turn} does not show; the last answer has {:?}",
            answer.header(REVISION)
        );
        tokio::time::sleep(INTERVAL).await;
    }
}
