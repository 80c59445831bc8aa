//! One key put: until the server acknowledges it, until a plain watcher of the server sees it, until Biplane has
//! it on the wire.
//!
//! ```text
//! put ─▶ server ─▶ Watcher                 the server's own put-to-watch latency
//!               └▶ Biplane ─▶ Subscriber   to the wire
//! ```
//!
//! Both hear of the same put, and share two cores while they do.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use biplane_testkit::biplane::Options;
use biplane_testkit::{Biplane, TempDir};

use crate::idle;
use crate::report::{Row, Unit};
use crate::server::{Kind, Server};
use crate::subscriber::Subscriber;
use crate::watcher::Watcher;
use crate::world::{Change, Size, World};

/// Milliseconds above the server's own put-to-watch latency (issue 4).
const BAR: f64 = 2.0;

/// Between two changes, so that each meets servers at rest.
const REST: Duration = Duration::from_millis(50);

/// The times of each put.
#[derive(Debug, Default)]
struct Times {
    acknowledged: Vec<Duration>,
    watched: Vec<Duration>,
    wire: Vec<Duration>,
    /// The wire less the watch, in milliseconds: below zero if the wire came first.
    above: Vec<f64>,
}

/// All rows of one server.
pub(crate) async fn measure(kind: Kind, turns: usize, idle: Duration) -> Result<Vec<Row>> {
    let directory = TempDir::new("bench-wire");
    let world = World::new(Size::of_keys(100, 1), ([127, 0, 0, 1], 9).into());
    let mut server = Server::start(kind, &world, &directory).await?;
    let mut biplane = Biplane::start_with(Options::store(kind.url(server.address())), &directory).await;
    let mut subscriber = Subscriber::complete(biplane.xds(), &world).await.context("the first answer")?;
    let mut watcher = server.watch().await?;
    let mut rows = Vec::new();
    for change in Change::ALL {
        let times = puts(&world, &server, &mut subscriber, &mut watcher, change, turns).await?;
        rows.extend(times.rows(kind, change));
    }
    drop((subscriber, watcher));
    biplane.stop().await;
    rows.extend(idle::measure(&mut server, &world, idle).await?);
    Ok(rows)
}

async fn puts(
    world: &World,
    server: &Server,
    subscriber: &mut Subscriber,
    watcher: &mut Watcher,
    change: Change,
    turns: usize,
) -> Result<Times> {
    let mut times = Times::default();
    for turn in 1..=turns {
        subscriber.settle().await;
        tokio::time::sleep(REST).await;
        watcher.forget();
        let entry = world.changed(change, turn);
        let started = Instant::now();
        let put = async { server.put(entry).await.map(|()| Instant::now()) };
        let (acknowledged, arrival, seen) =
            tokio::try_join!(put, subscriber.until(change.type_url()), watcher.next())?;
        times.acknowledged.push(acknowledged - started);
        times.watched.push(seen - started);
        times.wire.push(arrival.at - started);
        times.above.push(milliseconds(arrival.at - started) - milliseconds(seen - started));
    }
    Ok(times)
}

impl Times {
    fn rows(self, kind: Kind, change: Change) -> Vec<Row> {
        let of = format!("{kind}, 100 keys");
        let title = |what: &str| format!("{}: {what}", change.title());
        vec![
            Row::times(title("put to the ack"), &*of, &self.acknowledged),
            Row::times(title("put to a plain watcher"), &*of, &self.watched),
            Row::times(title("put to the wire"), &*of, &self.wire),
            Row::new(title("wire less watcher"), of, Unit::MILLISECONDS, self.above).below(BAR),
        ]
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
