//! What a configuration costs at rest: the time of a cold start, memory, and processor time while nothing changes.

use std::time::{Duration, Instant};

use anyhow::Result;
use biplane_testkit::{Biplane, TempDir};

use crate::report::{Row, Unit};
use crate::subscriber::Subscriber;
use crate::world::{Size, World};

/// Milliseconds from the start of the process to a first complete answer (issue 3).
const COLD_START_BAR: f64 = 1_000.0;

/// Milliseconds of processor time in a second without changes (issue 3).
const IDLE_BAR: f64 = 1.0;

/// After the first answer, until everything that follows a start is over: the snapshot on disk is written at most
/// every five seconds.
const REST: Duration = Duration::from_secs(7);

/// What one configuration costs.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    size: Size,
    cold_start: Duration,
    resident: u64,
    idle: f64,
}

/// All rows. The three sizes differ in one number each, so that their differences are the cost of one object.
pub(crate) async fn measure(starts: usize, idle: Duration) -> Result<Vec<Row>> {
    let base = Size { services: 100, routes: 10, upstreams: 1_000 };
    let routes = Size { services: 1_000, ..base };
    let upstreams = Size { upstreams: 10_000, ..routes };
    let small = of(base, idle).await?;
    let large = of(routes, idle).await?;
    let wide = of(upstreams, idle).await?;
    let mut cold_starts = vec![large.cold_start];
    for _ in 1..starts {
        cold_starts.push(of(routes, Duration::ZERO).await?.cold_start);
    }
    let bar = |row: Row| row.below(COLD_START_BAR);
    Ok(vec![
        Row::time("cold start to a first complete answer", label(small.size), small.cold_start),
        bar(Row::times("cold start to a first complete answer", label(large.size), &cold_starts)),
        Row::time("cold start to a first complete answer", label(wide.size), wide.cold_start),
        memory("resident memory", label(small.size), bytes(small.resident)),
        memory("resident memory", label(large.size), bytes(large.resident)),
        memory("resident memory", label(wide.size), bytes(wide.resident)),
        memory("resident memory per route", "difference", per(small, large, Size::total_routes)),
        memory("resident memory per upstream", "difference", per(large, wide, |size| size.upstreams)),
        idle_row(large).below(IDLE_BAR),
        idle_row(wide).below(IDLE_BAR),
    ])
}

/// Starts, waits for a first complete answer, rests if `idle` is to be measured, and looks.
async fn of(size: Size, idle: Duration) -> Result<Footprint> {
    let directory = TempDir::new("bench-footprint");
    let world = World::write(size, &directory, ([127, 0, 0, 1], 9).into());
    let started = Instant::now();
    let mut biplane = Biplane::start(world.files.root(), &directory).await;
    let subscriber = Subscriber::complete(biplane.xds(), &world).await?;
    let cold_start = started.elapsed();
    if !idle.is_zero() {
        tokio::time::sleep(REST).await;
    }
    let before = biplane.process().usage()?;
    tokio::time::sleep(idle).await;
    let after = biplane.process().usage()?;
    let busy = after.processor.saturating_sub(before.processor).as_secs_f64() * 1e3;
    let idle = if idle.is_zero() { 0.0 } else { busy / idle.as_secs_f64() };
    drop(subscriber);
    biplane.stop().await;
    Ok(Footprint { size, cold_start, resident: after.resident_bytes, idle })
}

fn idle_row(footprint: Footprint) -> Row {
    let samples = vec![footprint.idle];
    Row::new("idle, one client connected", label(footprint.size), Unit::MillisecondsPerSecond, samples)
}

fn memory(title: &str, size: impl Into<String>, bytes: f64) -> Row {
    Row::new(title, size, Unit::Bytes, vec![bytes])
}

fn per(before: Footprint, after: Footprint, count: impl Fn(Size) -> usize) -> f64 {
    let objects = count(after.size) - count(before.size);
    (bytes(after.resident) - bytes(before.resident)) / bytes(objects as u64)
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn bytes(count: u64) -> f64 {
    count as f64
}

fn label(size: Size) -> String {
    format!("{} + {} upstreams", size.total_routes(), size.upstreams)
}
