//! Many keys: what a start takes, and what the change of one key makes Biplane read.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use biplane_testkit::biplane::Options;
use biplane_testkit::{Biplane, FaultProxy, TempDir};

use crate::idle;
use crate::report::{Row, Unit};
use crate::server::{Kind, Server};
use crate::subscriber::Subscriber;
use crate::world::{Change, Size, World};

/// Milliseconds from the start of the process to a first complete answer (issue 4).
const START_BAR: f64 = 2_000.0;

/// After a start, until what follows it is over: the snapshot on disk, the leader's first records.
const REST: Duration = Duration::from_secs(7);

/// A link on which nothing has passed for this long has nothing more to say about a change. The leader's records
/// of it come within a second.
const QUIET: Duration = Duration::from_millis(1_500);

/// How often to look at a link.
const LOOK: Duration = Duration::from_millis(20);

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Starts.
    pub(crate) starts: usize,
    /// Changes of one key.
    pub(crate) changes: usize,
    /// How long to watch an idle process.
    pub(crate) idle: Duration,
}

/// All rows of one server and size.
pub(crate) async fn measure(kind: Kind, size: Size, plan: Plan) -> Result<Vec<Row>> {
    let directory = TempDir::new("bench-large");
    let world = World::new(size, ([127, 0, 0, 1], 9).into());
    let mut server = Server::start(kind, &world, &directory).await?;
    let mut rows = vec![starts(&mut server, &world, plan.starts).await.context("starts")?];
    server.restart().await;
    rows.extend(changes(&mut server, &world, plan.changes).await.context("changes")?);
    server.restart().await;
    rows.extend(idle::measure(&mut server, &world, plan.idle).await.context("idle")?);
    Ok(rows)
}

/// What of: the server, the keys and over how many namespaces they are spread.
pub(crate) fn label(kind: Kind, size: Size) -> String {
    let keys = size.keys();
    let keys = if keys.is_multiple_of(1_000) { format!("{}k", keys / 1_000) } else { keys.to_string() };
    format!("{kind}, {keys} keys in {}", size.namespaces)
}

async fn starts(server: &mut Server, world: &World, starts: usize) -> Result<Row> {
    let mut times = Vec::new();
    for _ in 0..starts {
        server.restart().await;
        let directory = TempDir::new("bench-start");
        let options = Options::store(server.kind.url(server.address()));
        let started = Instant::now();
        let mut biplane = Biplane::start_with(options, &directory).await;
        let subscriber = Subscriber::complete(biplane.xds(), world).await?;
        times.push(started.elapsed());
        drop(subscriber);
        biplane.stop().await;
    }
    let of = label(server.kind, world.size);
    Ok(Row::times("start to a first complete answer", of, &times).below(START_BAR))
}

/// The proxy counts what Biplane reads, and costs some tens of microseconds.
async fn changes(server: &mut Server, world: &World, changes: usize) -> Result<Vec<Row>> {
    let directory = TempDir::new("bench-changes");
    let proxy = FaultProxy::start(server.address());
    let mut biplane = Biplane::start_with(Options::store(server.kind.url(proxy.address())), &directory).await;
    let mut subscriber = Subscriber::complete(biplane.xds(), world).await?;
    tokio::time::sleep(REST).await;
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 1..=changes {
        subscriber.settle().await;
        let (read, used) = (quiet(&proxy).await, idle::processor(&mut biplane, server)?);
        let started = Instant::now();
        let put = server.put(world.changed(Change::Service, turn));
        let ((), arrival) = tokio::try_join!(put, subscriber.until(Change::Service.type_url()))?;
        times.push(arrival.at - started);
        bytes.push(figure(quiet(&proxy).await - read));
        let [own, other] = idle::since(used, idle::processor(&mut biplane, server)?);
        ours.push(own);
        theirs.push(other);
    }
    let of = label(server.kind, world.size);
    drop(subscriber);
    biplane.stop().await;
    Ok(vec![
        Row::new("one key: read from the store", &*of, Unit::BYTES, bytes),
        Row::times("one key: put to the wire", &*of, &times),
        Row::times("one key: processor time of Biplane", &*of, &ours),
        Row::times("one key: processor time of the server", of, &theirs),
    ])
}

/// The bytes that came from the server so far, once no more come.
async fn quiet(proxy: &FaultProxy) -> u64 {
    let mut last = (proxy.counters().to_client, Instant::now());
    while last.1.elapsed() < QUIET {
        tokio::time::sleep(LOOK).await;
        let now = proxy.counters().to_client;
        if now != last.0 {
            last = (now, Instant::now());
        }
    }
    last.0
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn figure(count: u64) -> f64 {
    count as f64
}
