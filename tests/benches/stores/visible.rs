//! One virtual service among a thousand put, until a request through Envoy shows it; and what Envoy takes of that,
//! with the same route configuration from the replay server. What was measured of Gloo, on its own store.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use biplane_testkit::biplane::Options;
use biplane_testkit::xds::type_url;
use biplane_testkit::{Biplane, Envoy, Request, TempDir, Upstream, biplane};

use crate::message::Prepared;
use crate::replay::{Replay, Resources};
use crate::report::Row;
use crate::server::{Kind, Server};
use crate::subscriber::Subscriber;
use crate::world::{Change, FLEET, REVISION, Size, World};

/// What was measured of Gloo: a thousand services.
const SIZE: Size = Size { services: 1_000, upstreams: 1_000, namespaces: 1 };

/// Milliseconds, median (issue 4).
const BAR: f64 = 30.0;

/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two requests: short against what is measured, long enough to leave the others their cores.
const INTERVAL: Duration = Duration::from_micros(500);

/// Between two changes, so that each meets a machine at rest.
const REST: Duration = Duration::from_millis(50);

/// All rows of one server.
pub(crate) async fn measure(kind: Kind, changes: usize) -> Result<Vec<Row>> {
    let directory = TempDir::new("bench-visible");
    let backend = Upstream::start("backend");
    let world = World::new(SIZE, backend.address());
    let server = Server::start(kind, &world, &directory).await?;
    let mut biplane = Biplane::start_with(Options::store(kind.url(server.address())), &directory).await;
    let puts = puts(&world, &server, &biplane, &directory, changes).await.context("through Biplane")?;
    let (resources, versions) = versions(&world, &server, &biplane, changes).await?;
    biplane.stop().await;
    let replays = replays(&world, resources, &versions, &directory).await.context("through the replay")?;
    let of = format!("{kind}, {} services", SIZE.services);
    Ok(vec![
        Row::times("one virtual service: put to a request", &*of, &puts).below(BAR),
        Row::times("one virtual service: floor, replay to a request", of, &replays),
    ])
}

async fn puts(
    world: &World,
    server: &Server,
    biplane: &Biplane,
    directory: &TempDir,
    changes: usize,
) -> Result<Vec<Duration>> {
    let mut envoy = start_envoy(biplane.xds(), directory).await;
    let mut times = Vec::new();
    for turn in 1..=changes {
        tokio::time::sleep(REST).await;
        let entry = world.changed(Change::Service, turn);
        let started = Instant::now();
        let (shown, ()) = tokio::try_join!(shown(world, turn), server.put(entry))?;
        times.push(shown - started);
    }
    envoy.stop().await;
    Ok(times)
}

/// Everything that Envoy gets, and a version of the route configuration for each change.
async fn versions(
    world: &World,
    server: &Server,
    biplane: &Biplane,
    changes: usize,
) -> Result<(Resources, Vec<Prepared>)> {
    let mut subscriber = Subscriber::complete(biplane.xds(), world).await?;
    let mut versions = Vec::new();
    for turn in 1..=changes {
        server.put(world.changed(Change::Service, turn)).await?;
        subscriber.until(type_url::ROUTE).await?;
        subscriber.settle().await;
        versions.push(Prepared::new(type_url::ROUTE, subscriber.resources[type_url::ROUTE].values(), &[]));
    }
    Ok((subscriber.resources.clone(), versions))
}

async fn replays(
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

/// An Envoy that gets its configuration from `address`, once it is live.
async fn start_envoy(address: SocketAddr, directory: &TempDir) -> Envoy {
    let address = address.to_string();
    let arguments = ["envoy", "bootstrap", "--xds", &address, "--fleet", FLEET, "--id", "bench"];
    let output = biplane::run(arguments.into_iter().chain(["--admin", "127.0.0.1:0"]));
    assert_eq!(output.code, 0, "`biplane envoy bootstrap` failed: {}", output.stderr);
    let mut envoy = Envoy::start(&output.stdout, directory).await;
    envoy.ready().await;
    envoy
}

/// When the first answer came that has the turn's header.
async fn shown(world: &World, turn: usize) -> Result<Instant> {
    let (domain, path) = world.changed_route();
    let (request, wanted) = (Request::get(&domain, &path), turn.to_string());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = request.send(world.port).await?;
        let now = Instant::now();
        let found = answer.header(REVISION);
        if found == Some(&*wanted) {
            return Ok(now);
        }
        ensure!(now < deadline, "turn {turn} does not show; the last answer has {found:?}");
        tokio::time::sleep(INTERVAL).await;
    }
}
