//! The line from a key in etcd or Consul to the wire and to a request through Envoy, measured against the servers
//! themselves in the same run.
//!
//! ```text
//! wire       100 keys: a put until it is on the wire, next to a plain watcher of the same folder
//! large      10,000 keys: a start, what one change costs, an idle process
//! visible    one virtual service of a thousand: a put to a request through Envoy, and the floor
//! ```
//!
//! The clients and the reports are those of the benchmark `line`. `cargo xtask bench stores [-- --quick]
//! [-- -o json]`; words among the arguments choose parts: `wire`, `large`, `visible`, and `etcd` or `consul`.
//! docs/benchmarks.md explains each row.
#![forbid(unsafe_code)]

mod idle;
mod large;
mod server;
mod visible;
mod watcher;
mod wire;
mod world;

#[path = "../line/command_line.rs"]
mod command_line;
#[path = "../line/exchange.rs"]
#[expect(dead_code, reason = "nobody waits for an ACK here")]
mod exchange;
#[path = "../line/machine.rs"]
mod machine;
#[path = "../line/message.rs"]
mod message;
#[path = "../line/relay.rs"]
#[expect(dead_code, reason = "only the server of the replay is used")]
mod relay;
#[path = "../line/replay.rs"]
#[expect(dead_code, reason = "nobody listens to the replay")]
mod replay;
#[path = "../line/report.rs"]
#[expect(dead_code, reason = "a single time is no row here")]
mod report;
#[path = "../line/subscriber.rs"]
#[expect(dead_code, reason = "the length of a response is not asked for")]
mod subscriber;

use std::time::Duration;

use anyhow::{Context as _, Result};
use command_line::CommandLine;
use machine::Machine;
use report::{Report, Row};
use server::Kind;
use world::Size;

/// The words that choose, by kind.
const KINDS: [&[&str]; 2] = [&["wire", "large", "visible"], &["etcd", "consul"]];

/// How much to measure.
#[derive(Clone, Debug)]
struct Plans {
    /// Changes of each kind.
    wire: usize,
    large: large::Plan,
    /// Keys of the large store.
    keys: usize,
    /// Changes through Envoy.
    visible: usize,
}

impl Plans {
    /// Everything: a quarter of an hour.
    fn full() -> Self {
        let large = large::Plan { starts: 5, changes: 20, idle: Duration::from_secs(30) };
        Self { wire: 200, large, keys: 10_000, visible: 100 }
    }

    /// Small sizes only.
    fn quick() -> Self {
        let large = large::Plan { starts: 2, changes: 3, idle: Duration::from_secs(5) };
        Self { wire: 20, large, keys: 1_000, visible: 20 }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let told = CommandLine::here();
    // Without a word of its kind everything is wanted.
    let wants = |word: &str| {
        told.has(word)
            || !KINDS.iter().any(|kind| kind.contains(&word) && kind.iter().any(|word| told.has(word)))
    };
    let machine = Machine::here();
    eprintln!("{machine}");
    let plans = if told.is_quick() { Plans::quick() } else { Plans::full() };
    let rows = measure(&plans, wants).await?;
    Report { benchmark: "stores", machine, rows }.print(told.as_json());
    Ok(())
}

async fn measure(plans: &Plans, wants: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| wants(kind.word())) {
        if wants("wire") {
            eprintln!("{kind}: to the wire among 100 keys ...");
            let measured = wire::measure(kind, plans.wire, plans.large.idle).await;
            rows.extend(measured.with_context(|| format!("{kind}: to the wire"))?);
        }
        for namespaces in [1, 100].into_iter().filter(|_| wants("large")) {
            eprintln!("{kind}: {} keys in {namespaces} namespaces ...", plans.keys);
            let measured = large::measure(kind, Size::of_keys(plans.keys, namespaces), plans.large).await;
            rows.extend(measured.with_context(|| format!("{kind}: {} keys", plans.keys))?);
        }
        if wants("visible") {
            eprintln!("{kind}: requests that show a change ...");
            let measured = visible::measure(kind, plans.visible).await;
            rows.extend(measured.with_context(|| format!("{kind}: requests that show a change"))?);
        }
    }
    Ok(rows)
}
