//! Runs this program under valgrind and reads what callgrind has counted.
//!
//! Calling a counted function sets the counters to zero, and its return writes them to a file of its own: `out.1`
//! for the first, and so on. No file can be mistaken for another's, because
//! [`measure::run`](crate::measure::run) calls them in a fixed order.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::Change;

/// The counted functions, in two spellings: of two options with one spelling callgrind obeys only one.
const COUNTED: [&str; 2] = ["*counted_*", "graph::measure::counted_*"];

/// Instructions, for one size.
#[derive(Debug)]
pub(crate) struct Counts {
    /// From a store's event to the published snapshot, for each change.
    pub(crate) events: Vec<u64>,
    /// The joining of the route configuration alone.
    pub(crate) joining: u64,
    /// From a decoded object to what changes for each fleet, for each change.
    pub(crate) graph: Vec<u64>,
}

/// Counts a configuration of `routes` routes.
pub(crate) fn count(argument: &str, routes: usize) -> Counts {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let out = directory.path().join("out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--zero-before={}", COUNTED[0]))
        .arg(format!("--dump-after={}", COUNTED[1]))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().expect("a program is a file"))
        .args([argument, &routes.to_string()])
        .stdin(Stdio::null());
    eprintln!("counting with {routes} routes ...");
    let status = valgrind.status().expect("valgrind is installed: `cargo xtask bench` does that");
    assert!(status.success(), "valgrind ended with {status}");
    read(directory.path())
}

fn read(directory: &Path) -> Counts {
    let changes = Change::ALL.len();
    let mut parts = (1..).map(|part| total(&directory.join(format!("out.{part}"))));
    let events = parts.by_ref().take(changes).collect();
    let joining = parts.next().expect("the parts have no end");
    let graph = parts.take(changes).collect();
    Counts { events, joining, graph }
}

/// The instructions of one part.
fn total(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.filter(|&total| total > 0).unwrap_or_else(|| panic!("{} has counted nothing", path.display()))
}
