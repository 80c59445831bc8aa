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

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Cold starts of the size that has a bar.
    pub(crate) starts: usize,
    /// How long to watch an idle process.
    pub(crate) idle: Duration,
    /// Whether to look at a hundred thousand routes too.
    pub(crate) huge: bool,
}

/// All rows. Each size differs from the one before in one number, so that the difference is the cost of objects of
/// one kind.
pub(crate) async fn measure(plan: Plan) -> Result<Vec<Row>> {
    let small = of(Size::of_routes(1_000), plan.idle).await?;
    let large = of(Size::of_routes(10_000), plan.idle).await?;
    let wide = of(Size { upstreams: 10_000, ..large.size }, plan.idle).await?;
    let huge = if plan.huge { Some(of(Size::of_routes(100_000), plan.idle).await?) } else { None };
    let all = || [small, large, wide].into_iter().chain(huge);
    let mut rows: Vec<_> = all().map(cold_start).collect();
    rows.push(cold_starts(plan.starts, large).await?.below(COLD_START_BAR));
    rows.extend(all().map(|one| memory("resident memory", label(one.size), bytes(one.resident))));
    rows.push(per("resident memory per route", small, large, Size::total_routes));
    rows.extend(huge.map(|huge| per("resident memory per route", large, huge, Size::total_routes)));
    rows.push(per("resident memory per upstream", large, wide, |size| size.upstreams));
    rows.extend(all().map(|one| idle(one).below(IDLE_BAR)));
    Ok(rows)
}

async fn cold_starts(starts: usize, first: Footprint) -> Result<Row> {
    let mut times = vec![first.cold_start];
    for _ in 1..starts {
        times.push(of(first.size, Duration::ZERO).await?.cold_start);
    }
    Ok(Row::times("cold start, several", label(first.size), &times))
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

fn cold_start(footprint: Footprint) -> Row {
    Row::time("cold start to a first complete answer", label(footprint.size), footprint.cold_start)
}

fn idle(footprint: Footprint) -> Row {
    let samples = vec![footprint.idle];
    Row::new("idle, one client connected", label(footprint.size), Unit::MILLISECONDS_PER_SECOND, samples)
}

fn memory(title: &str, size: impl Into<String>, bytes: f64) -> Row {
    Row::new(title, size, Unit::BYTES, vec![bytes])
}

fn per(title: &str, before: Footprint, after: Footprint, count: impl Fn(Size) -> usize) -> Row {
    let (fewer, more) = (count(before.size), count(after.size));
    let each = (bytes(after.resident) - bytes(before.resident)) / bytes((more - fewer) as u64);
    memory(title, format!("{fewer} to {more}"), each)
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn bytes(count: u64) -> f64 {
    count as f64
}

fn label(size: Size) -> String {
    format!("{} + {} upstreams", size.total_routes(), size.upstreams)
}
