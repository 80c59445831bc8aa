//! Two hundred certificates written anew to a real OpenBao, until every Envoy shows them, under TLS traffic; measured
//! against OpenBao's own writes and reads in the same run.
//!
//! `cargo xtask bench secrets [-- --quick] [-- -o json]`. A failed request, a touched listener or a certificate that is
//! not renewed ends it with an error. docs/benchmarks.md explains each row.
#![forbid(unsafe_code)]

mod world;

#[path = "../line/command_line.rs"]
mod command_line;
#[path = "../line/machine.rs"]
mod machine;
#[path = "../line/report.rs"]
#[expect(dead_code, reason = "only times are rows here")]
mod report;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use biplane_testkit::load::Rate;
use biplane_testkit::{Load, Request};
use command_line::CommandLine;
use machine::Machine;
use report::{Report, Row};
use world::{REFRESH, World};

/// Milliseconds from the last write until every Envoy shows every certificate (issue 5).
const BAR: f64 = 5_000.0;
/// How long that may take before it counts as broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Plan {
    certificates: usize,
    rounds: usize,
    rate: Rate,
}

impl Plan {
    const FULL: Self =
        Self { certificates: 200, rounds: 3, rate: Rate { per_second: 1_000, connections: 16 } };
    const QUICK: Self = Self { certificates: 20, rounds: 1, rate: Rate { per_second: 200, connections: 4 } };
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let told = CommandLine::here();
    let machine = Machine::here();
    eprintln!("{machine}");
    let plan = if told.is_quick() { Plan::QUICK } else { Plan::FULL };
    let rows = measure(plan).await?;
    Report { benchmark: "secrets", machine, rows }.print(told.as_json());
    Ok(())
}

async fn measure(plan: Plan) -> Result<Vec<Row>> {
    eprintln!("starting OpenBao, Biplane and two Envoys with {} certificates ...", plan.certificates);
    let began = Instant::now();
    let mut world = World::start(plan.certificates).await?;
    let start = began.elapsed();
    let (mut writes, mut reads, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        eprintln!("round {round} of {} ...", plan.rounds);
        let before = world.counts().await?;
        let traffic = traffic(&world, plan.rate);
        let next = world.issue();
        writes.extend(world.write(&next).await?);
        let written = Instant::now();
        reads.extend(world.read().await?);
        shown.extend(world.until_shown(&next, written, PATIENCE).await?);
        for load in traffic {
            let report = load.stop();
            ensure!(report.failed() == 0, "requests failed: {report}");
            eprintln!("  {report}");
        }
        ensure!(world.counts().await? == before, "a listener or a cluster was touched");
    }
    let of = format!("{} certificates, 2 Envoys", plan.certificates);
    let last = shown.iter().max().copied().context("nothing was measured")?;
    world.stop().await;
    Ok(vec![
        Row::time("start, until the last is served", of.clone(), start),
        Row::times("floor: OpenBao takes one write", of.clone(), &writes),
        Row::times("floor: OpenBao answers one read", of.clone(), &reads),
        Row::times(format!("last write to shown by an Envoy, refresh={REFRESH}"), of.clone(), &shown),
        Row::time("the slowest of these", of, last).below(BAR),
    ])
}

/// Requests to all names at each Envoy, every fourth of which makes a handshake of its own.
fn traffic(world: &World, rate: Rate) -> Vec<Load> {
    let requests: Vec<Request> = (0..world.len())
        .map(|number| {
            let request = world.request(number);
            if number % 4 == 0 { request.header("connection", "close") } else { request }
        })
        .collect();
    let each = Rate { per_second: rate.per_second / 2, connections: rate.connections / 2 };
    world.ports().into_iter().map(|port| Load::start(port, requests.clone(), each)).collect()
}
