//! A thousand services of ten instances in a real Consul, all of them watched: what a start, a check that turns, a
//! registration and an hour of nothing cost, with a connection for each service and without.
//!
//! `cargo xtask bench catalog [-- --quick] [-- -o json]`. docs/benchmarks.md explains each row.
#![forbid(unsafe_code)]

mod world;

#[path = "../../../../../tests/benches/line/machine.rs"]
mod machine;
#[path = "../../../../../tests/benches/line/report.rs"]
#[expect(dead_code, reason = "not every kind of row is used")]
mod report;

use std::env;
use std::time::{Duration, Instant};

use anyhow::Result;
use biplane_consul_catalog::CatalogOptions;
use biplane_consul_client::Settings;
use machine::Machine;
use report::{Report, Row, Unit};
use world::{Kind, World};

/// Milliseconds from a check that turns critical until the endpoint is told as unhealthy (issue 6).
const BAR: f64 = 1_000.0;

/// Requests to Consul.
const REQUESTS: Unit = Unit { name: "req", decimals: 2 };

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Plan {
    services: usize,
    instances: usize,
    changes: usize,
    idle: Duration,
}

impl Plan {
    const FULL: Self = Self { services: 1_000, instances: 10, changes: 50, idle: Duration::from_secs(30) };
    const QUICK: Self = Self { services: 200, instances: 5, changes: 10, idle: Duration::from_secs(5) };
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let as_json = arguments.windows(2).any(|pair| pair == ["-o", "json"]);
    let plan = if arguments.iter().any(|argument| argument == "--quick") { Plan::QUICK } else { Plan::FULL };
    let machine = Machine::here();
    eprintln!("{machine}");
    let mut rows = Vec::new();
    for max_watches in [plan.services, CatalogOptions::new(Settings::default()).max_watches] {
        rows.extend(measure(plan, max_watches).await?);
    }
    Report { benchmark: "catalog", machine, rows }.print(as_json);
    Ok(())
}

async fn measure(plan: Plan, max_watches: usize) -> Result<Vec<Row>> {
    let size = format!("{}x{}, {max_watches} waiting", plan.services, plan.instances);
    eprintln!("{size}: starting Consul, registering ...");
    let began = Instant::now();
    let mut world = World::start(plan.services, plan.instances, max_watches).await?;
    eprintln!("registered after {:.0?}", began.elapsed());
    let mut rows = vec![Row::time("start: all services told", &size, world.follow_all().await?)];
    for (kind, title) in [
        (Kind::Critical, "a check turns critical"),
        (Kind::Passing, "it passes again"),
        (Kind::Registered, "an instance is registered"),
        (Kind::Deregistered, "it is deregistered"),
    ] {
        let before = world.requests();
        let mut times = Vec::new();
        for number in 0..plan.changes {
            // Not among the first, which have a connection in any case.
            let service = plan.services - 1 - number % (plan.services / 2);
            times.push(world.change(kind, service).await?);
        }
        let row = Row::times(format!("{title}: told"), &size, &times);
        rows.push(if kind == Kind::Critical { row.below(BAR) } else { row });
        for (word, count) in world.requests() {
            let more = count - before[word];
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let each = more as f64 / plan.changes as f64;
            if more > 0 {
                rows.push(Row::new(format!("{title}: {word} each"), &size, REQUESTS, vec![each]));
            }
        }
    }
    let before: u64 = world.requests().values().sum();
    world.idle(plan.idle).await?;
    let more = world.requests().values().sum::<u64>() - before;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let each = more as f64 / plan.idle.as_secs_f64();
    rows.push(Row::new("idle: requests a second", &size, REQUESTS, vec![each]));
    Ok(rows)
}
