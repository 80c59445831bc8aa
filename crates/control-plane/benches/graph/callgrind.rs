//! Runs this program under valgrind and reads what callgrind has counted.
//!
//! Counting is on only inside functions whose names hold [`COUNTED`], and each return from one of them writes
//! a file of its own: `out.1` for the first, and so on. No file can be mistaken for another's, because
//! [`measure::run`](crate::measure::run) calls them in a fixed order.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::Change;

/// What the names of counted functions hold.
const COUNTED: &str = "counted_";

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
    let pattern = format!("*{COUNTED}*");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={pattern}"))
        .arg(format!("--dump-after={pattern}"))
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
