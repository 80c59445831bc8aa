//! One file edited: until the change is on the wire, until Envoy's ACK, and what Envoy takes of that.
//!
//! ```text
//! rename ─▶ Biplane ─▶ Subscriber            to the wire: Biplane alone, bytes as it sends them
//! rename ─▶ Biplane ─▶ Relay ─▶ Envoy        to Envoy's ACK: everything
//!                     Replay ─▶ Envoy        the floor: the same bytes, prepared
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use biplane_testkit::xds::type_url;
use biplane_testkit::{Biplane, Envoy, Process, TempDir, Upstream};

use crate::message::Prepared;
use crate::relay::Relay;
use crate::replay::{Replay, Resources};
use crate::report::{Row, Unit};
use crate::subscriber::Subscriber;
use crate::world::{Change, FLEET, Size, World};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Of what configuration.
    pub(crate) size: Size,
    /// Changes of each kind, up to the wire.
    pub(crate) to_wire: usize,
    /// Changes of each kind, up to Envoy's ACK.
    pub(crate) to_ack: usize,
}

/// Two versions of the resources that a change touches, to be sent in turn.
type Versions = Vec<(Change, [Vec<Prepared>; 2])>;

/// All rows of one size.
pub(crate) async fn measure(plan: Plan) -> Result<Vec<Row>> {
    let directory = TempDir::new("bench-changes");
    let backend = Upstream::start("backend");
    let world = World::write(plan.size, &directory, backend.address());
    let mut biplane = Biplane::start(world.files.root(), &directory).await;
    let mut subscriber = Subscriber::complete(biplane.xds(), &world).await.context("the first answer")?;
    let mut rows = to_wire(plan, &world, biplane.process(), &mut subscriber).await.context("to the wire")?;
    let (resources, versions) = versions(&world, &mut subscriber).await.context("versions to replay")?;
    drop(subscriber);
    rows.extend(to_ack(plan, &world, &biplane, &directory).await.context("to Envoy's ACK")?);
    biplane.stop().await;
    rows.extend(floor(plan, resources, &versions, &directory).await.context("the floor")?);
    Ok(rows)
}

async fn to_wire(
    plan: Plan,
    world: &World,
    process: &Process,
    subscriber: &mut Subscriber,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for change in Change::ALL {
        let (mut times, mut bytes) = (Vec::new(), Vec::new());
        let before = process.usage()?.processor;
        for turn in 1..=plan.to_wire {
            subscriber.settle().await;
            let started = Instant::now();
            world.change(change, turn);
            let arrival = subscriber.until(change.type_url()).await?;
            times.push(arrival.at - started);
            bytes.push(f64::from(u32::try_from(arrival.bytes)?));
        }
        subscriber.settle().await;
        let busy = process.usage()?.processor.saturating_sub(before) / u32::try_from(plan.to_wire)?;
        rows.push(row(change, "edit to the wire", plan.size, &times));
        rows.push(row(change, "processor time of Biplane", plan.size, &[busy]));
        let title = format!("{}: bytes sent", change.title());
        rows.push(Row::new(title, label(plan.size), Unit::BYTES, bytes));
    }
    Ok(rows)
}

/// What Biplane sends for a change, twice. The turns are none of those that are measured.
async fn versions(world: &World, subscriber: &mut Subscriber) -> Result<(Resources, Versions)> {
    let mut versions = Versions::new();
    for change in Change::ALL {
        let mut both = Vec::new();
        for turn in [9_001, 9_002] {
            let before = subscriber.resources.clone();
            world.change(change, turn);
            subscriber.until(change.type_url()).await?;
            subscriber.settle().await;
            both.push(difference(&before, &subscriber.resources, change));
        }
        let [one, other] = <[_; 2]>::try_from(both).expect("two turns");
        versions.push((change, [one, other]));
    }
    Ok((subscriber.resources.clone(), versions))
}

/// A changed cluster needs its assignment again right behind it, or Envoy waits for it.
fn difference(before: &Resources, after: &Resources, change: Change) -> Vec<Prepared> {
    let type_url = change.type_url();
    let differs = |name: &String| before[type_url].get(name) != after[type_url].get(name);
    let changed: Vec<_> = after[type_url].iter().filter(|(name, _)| differs(name)).collect();
    let mut responses = vec![Prepared::new(type_url, changed.iter().map(|(_, resource)| *resource), &[])];
    if change == Change::Upstream {
        let assignments = changed.iter().filter_map(|(name, _)| after[type_url::ENDPOINT].get(*name));
        responses.push(Prepared::new(type_url::ENDPOINT, assignments, &[]));
    }
    responses
}

async fn to_ack(plan: Plan, world: &World, biplane: &Biplane, directory: &TempDir) -> Result<Vec<Row>> {
    let mut relay = Relay::start(biplane.xds()).await?;
    let mut envoy = start_envoy(relay.address, directory).await;
    relay.exchange.settle().await?;
    let mut rows = Vec::new();
    for change in Change::ALL {
        let mut times = Vec::new();
        for turn in 10_001..=10_000 + plan.to_ack {
            let started = Instant::now();
            world.change(change, turn);
            times.push(relay.exchange.round(change.type_url()).await?.acknowledged - started);
            relay.exchange.settle().await?;
        }
        rows.push(row(change, "edit to Envoy's ACK", plan.size, &times));
    }
    envoy.stop().await;
    Ok(rows)
}

async fn floor(
    plan: Plan,
    resources: Resources,
    versions: &Versions,
    directory: &TempDir,
) -> Result<Vec<Row>> {
    let mut replay = Replay::start(resources).await?;
    let mut envoy = start_envoy(replay.address, directory).await;
    replay.exchange.settle().await?;
    let mut rows = Vec::new();
    for (change, versions) in versions {
        let mut times = Vec::new();
        for turn in 0..plan.to_ack {
            let started = Instant::now();
            versions[turn % 2].iter().for_each(|response| replay.push(response));
            times.push(replay.exchange.round(change.type_url()).await?.acknowledged - started);
            replay.exchange.settle().await?;
        }
        rows.push(row(*change, "floor, replay to Envoy's ACK", plan.size, &times));
    }
    envoy.stop().await;
    Ok(rows)
}

/// An Envoy that gets its configuration from `address`, once it is live.
pub(crate) async fn start_envoy(address: std::net::SocketAddr, directory: &TempDir) -> Envoy {
    let address = address.to_string();
    let arguments = ["envoy", "bootstrap", "--xds", &address, "--fleet", FLEET, "--id", "bench"];
    let output = biplane_testkit::biplane::run(arguments.into_iter().chain(["--admin", "127.0.0.1:0"]));
    assert_eq!(output.code, 0, "`biplane envoy bootstrap` failed: {}", output.stderr);
    let mut envoy = Envoy::start(&output.stdout, directory).await;
    envoy.ready().await;
    envoy
}

fn row(change: Change, part: &str, size: Size, times: &[Duration]) -> Row {
    Row::times(format!("{}: {part}", change.title()), label(size), times)
}

fn label(size: Size) -> String {
    format!("{} routes", size.total_routes())
}
