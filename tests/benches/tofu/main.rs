//! Two hundred resources applied by a real OpenTofu to a real etcd, planned again and destroyed; measured against what
//! OpenTofu takes for two hundred resources of its own in the same run.
//!
//! `cargo xtask bench tofu [-- --quick] [-- -o json]`. A second plan that is not empty ends it with an error. Every run is
//! told on standard error, with the load of the machine. docs/benchmarks.md explains each row.
#![forbid(unsafe_code)]

mod configuration;
mod world;

#[path = "../line/command_line.rs"]
mod command_line;
#[path = "../line/machine.rs"]
mod machine;
#[path = "../line/report.rs"]
#[expect(dead_code, reason = "not every kind of row is used")]
mod report;

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::Result;
use command_line::CommandLine;
use configuration::Shape;
use machine::Machine;
use report::{Report, Row, Unit};
use world::World;

/// Milliseconds that the first apply may take (issue 7).
const BAR: f64 = 10_000.0;

/// OpenTofu's default, and more workers than there are resources.
const WORKERS: [usize; 2] = [10, 256];

/// What is counted of an apply.
const REVISIONS: Unit = Unit { name: "rev", decimals: 0 };

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Resources of each of two kinds.
    pairs: usize,
    runs: usize,
}

impl Plan {
    const FULL: Self = Self { pairs: 100, runs: 5 };
    const QUICK: Self = Self { pairs: 20, runs: 1 };
}

/// What one run took.
#[derive(Clone, Copy, Debug)]
struct Run {
    apply: Duration,
    /// At which the resources became visible; none for what is not in Biplane.
    revisions: usize,
    plan: Duration,
    destroy: Duration,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [apply, plan, destroy] = [self.apply, self.plan, self.destroy].map(|time| time.as_secs_f64());
        let revisions = self.revisions;
        write!(f, "apply {apply:.2} s, {revisions} revisions; empty plan {plan:.2} s; destroy {destroy:.2} s")
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let told = CommandLine::here();
    let machine = Machine::here();
    eprintln!("{machine}");
    let plan = if told.is_quick() { Plan::QUICK } else { Plan::FULL };
    let mut world = World::start().await?;
    let mut rows = Vec::new();
    for shape in Shape::ALL {
        world.takes(shape, plan.pairs).await;
        for workers in WORKERS {
            rows.extend(measure(&world, shape, workers, plan).await?);
        }
    }
    world.stop().await;
    Report { benchmark: "tofu", machine, rows }.print(told.as_json());
    Ok(())
}

async fn measure(world: &World, shape: Shape, workers: usize, plan: Plan) -> Result<Vec<Row>> {
    eprintln!("{}, -parallelism={workers} ...", shape.title());
    let mut runs = Vec::new();
    for _ in 0..plan.runs {
        let before = load();
        let run = world.run(workers).await?;
        eprintln!("  {run}; load {before}");
        runs.push(run);
    }
    Ok(rows(shape, &format!("{} by {workers}", 2 * plan.pairs), &runs))
}

fn rows(shape: Shape, of: &str, runs: &[Run]) -> Vec<Row> {
    let times = |what: &str, time: fn(&Run) -> Duration| {
        let times: Vec<_> = runs.iter().map(time).collect();
        Row::times(format!("{}: {what}", shape.title()), of, &times)
    };
    let mut rows = vec![
        times("apply", |run| run.apply).below(BAR),
        times("second plan, empty", |run| run.plan),
        times("destroy", |run| run.destroy),
    ];
    let count = |run: &Run| f64::from(u32::try_from(run.revisions).expect("as many as resources at most"));
    let revisions = runs.iter().map(count).collect();
    rows.insert(1, Row::new(format!("{}: revisions", shape.title()), of, REVISIONS, revisions));
    rows
}

/// The load of the last minute: other programs take part in every figure.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
