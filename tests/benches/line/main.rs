//! The line from a file to a real Envoy, measured: how long one change takes and how many bytes it sends, what
//! Envoy takes of that, what a start costs, and what an idle process costs.
//!
//! ```text
//! changes     1k, 10k, 100k routes: edit to the wire, edit to Envoy's ACK, and the floor
//! visible     one virtual service of a thousand: edit to a request through Envoy, and the floor
//! footprint   cold start, memory, idle processor time
//! ```
//!
//! The floor is a bare server that replays prepared bytes to the same Envoy in the same run ([`replay`]): what is
//! above it is ours. `cargo xtask bench line [-- --quick] [-- -o json]`; docs/benchmarks.md explains each row.
#![forbid(unsafe_code)]

mod changes;
mod command_line;
mod exchange;
mod footprint;
mod machine;
mod message;
mod relay;
mod replay;
mod report;
mod subscriber;
mod visible;
mod world;

use std::time::Duration;

use anyhow::{Context, Result};
use changes::Plan;
use command_line::CommandLine;
use machine::Machine;
use report::{Report, Row};
use world::Size;

/// How much to measure.
#[derive(Debug)]
struct Plans {
    changes: Vec<Plan>,
    visible: usize,
    footprint: footprint::Plan,
}

impl Plans {
    /// Everything: some minutes.
    fn full() -> Self {
        let plan = |routes, to_wire, to_ack| Plan { size: Size::of_routes(routes), to_wire, to_ack };
        Self {
            changes: vec![plan(1_000, 100, 100), plan(10_000, 100, 50), plan(100_000, 40, 10)],
            visible: 100,
            footprint: footprint::Plan { starts: 5, idle: Duration::from_secs(10), huge: true },
        }
    }

    /// Small sizes only: below two minutes.
    fn quick() -> Self {
        let plan = |routes| Plan { size: Size::of_routes(routes), to_wire: 20, to_ack: 20 };
        Self {
            changes: vec![plan(1_000), plan(10_000)],
            visible: 30,
            footprint: footprint::Plan { starts: 3, idle: Duration::from_secs(3), huge: false },
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let told = CommandLine::here();
    let machine = Machine::here();
    eprintln!("{machine}");
    let rows = measure(if told.is_quick() { Plans::quick() } else { Plans::full() }).await?;
    Report { benchmark: "line", machine, rows }.print(told.as_json());
    Ok(())
}

async fn measure(plans: Plans) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for plan in plans.changes {
        let routes = plan.size.total_routes();
        eprintln!("changes among {routes} routes ...");
        rows.extend(changes::measure(plan).await.with_context(|| format!("changes among {routes} routes"))?);
    }
    eprintln!("requests that show a change ...");
    rows.extend(visible::measure(plans.visible).await.context("requests that show a change")?);
    eprintln!("cold start, memory, idle ...");
    rows.extend(footprint::measure(plans.footprint).await.context("footprint")?);
    Ok(rows)
}
