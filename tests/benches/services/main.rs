//! What one event of one service costs among 100, 1,000 and 5,000 of them: the whole control plane in this process, over a
//! source that costs nothing, with a client that takes what is served.
//!
//! `cargo xtask bench services [-- --quick] [-- -o json]`. docs/benchmarks.md explains each row.
#![forbid(unsafe_code)]

mod registry;
mod world;

#[path = "../line/command_line.rs"]
mod command_line;
#[path = "../line/machine.rs"]
mod machine;
#[path = "../line/report.rs"]
#[expect(dead_code, reason = "not every kind of row is used")]
mod report;

use anyhow::Result;
use command_line::CommandLine;
use machine::Machine;
use report::{Report, Row};
use world::{Change, Cost, World};

/// Services of each run.
const SIZES: &[usize] = &[100, 1_000, 5_000];
/// Those of a quick run.
const QUICK_SIZES: &[usize] = &[100, 1_000];
/// Changes of each kind.
const CHANGES: u16 = 100;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let told = CommandLine::here();
    let machine = Machine::here();
    eprintln!("{machine}");
    let mut rows = Vec::new();
    for services in if told.is_quick() { QUICK_SIZES } else { SIZES } {
        rows.extend(measure(*services).await?);
    }
    Report { benchmark: "services", machine, rows }.print(told.as_json());
    Ok(())
}

async fn measure(services: usize) -> Result<Vec<Row>> {
    eprintln!("{services} services ...");
    let of = format!("{services} services");
    let row = |what: &str, cost: Cost| {
        let times = [("processor time", cost.processor), ("until served", cost.latency)];
        times.map(|(kind, time)| Row::time(format!("{what}: {kind}"), &of, time))
    };
    let (mut world, start) = World::start(services).await?;
    let instance = world.change(Change::Instance, CHANGES).await?;
    let look = world.look(CHANGES.into()).await?;
    let tag = world.change(Change::Tag, CHANGES).await?;
    world.stop().await?;
    let rows =
        [("start", start), ("an instance is replaced", instance), ("a tag changes", tag), ("a look", look)];
    Ok(rows.into_iter().flat_map(|(what, cost)| row(what, cost)).collect())
}
