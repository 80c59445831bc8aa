//! What a store and Biplane cost each other while nobody changes anything.

use std::time::Duration;

use anyhow::Result;
use biplane_testkit::biplane::Options;
use biplane_testkit::{Biplane, FaultProxy, TempDir};

use crate::large::{figure, label};
use crate::report::{Row, Unit};
use crate::server::Server;
use crate::subscriber::Subscriber;
use crate::world::World;

const PER_SECOND: Unit = Unit { name: "1/s", decimals: 2 };
const BYTES_PER_SECOND: Unit = Unit { name: "B/s", decimals: 0 };

/// After a start, until what follows it is over, and until the threads that did it have ended: their processor time
/// is no longer counted then, and must not be missing from a difference.
const REST: Duration = Duration::from_secs(25);

/// All rows: one Biplane, one client connected.
pub(crate) async fn measure(server: &mut Server, world: &World, time: Duration) -> Result<Vec<Row>> {
    let directory = TempDir::new("bench-idle");
    let proxy = FaultProxy::http(server.address());
    let mut biplane = Biplane::start_with(Options::store(server.kind.url(proxy.address())), &directory).await;
    let subscriber = Subscriber::complete(biplane.xds(), world).await?;
    tokio::time::sleep(REST).await;
    let (before, used) = (proxy.counters(), processor(&mut biplane, server)?);
    tokio::time::sleep(time).await;
    let (after, [ours, theirs]) = (proxy.counters(), since(used, processor(&mut biplane, server)?));
    drop(subscriber);
    biplane.stop().await;
    let of = label(server.kind, world.size);
    let row = |title: &str, unit, amount: f64| Row::new(title, &*of, unit, vec![amount / time.as_secs_f64()]);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let (requests, bytes) = (after.requests - before.requests, after.to_client - before.to_client);
    Ok(vec![
        row("idle: requests", PER_SECOND, figure(requests)),
        row("idle: read from the store", BYTES_PER_SECOND, figure(bytes)),
        row("idle: processor time of Biplane", Unit::MILLISECONDS_PER_SECOND, milliseconds(ours)),
        row("idle: processor time of the server", Unit::MILLISECONDS_PER_SECOND, milliseconds(theirs)),
    ])
}

/// The processor time that Biplane and the server have used so far.
pub(crate) fn processor(biplane: &mut Biplane, server: &mut Server) -> Result<[Duration; 2]> {
    Ok([biplane.process().usage()?.processor, server.processor()?])
}

/// The processor time that both have used since then.
pub(crate) fn since(before: [Duration; 2], now: [Duration; 2]) -> [Duration; 2] {
    [now[0].saturating_sub(before[0]), now[1].saturating_sub(before[1])]
}
