//! How many instructions one change costs, and whether that depends on the size of the configuration.
//!
//! ```text
//! this program ─▶ valgrind this program --count ROUTES   (once a size)
//!                   └ Change::ALL x {event to snapshot, graph alone}, the joining alone
//! ```
//!
//! Wall time on a shared machine is noise; instructions are the same from run to run, so a change that has
//! become O(configuration) shows at once. The joining of an unsharded route configuration's bytes is known to
//! be O(routes) (design: one RouteConfiguration a listener until routes are sharded) and is counted apart.
//!
//! `cargo xtask bench graph [-- --quick] [-- -o json] [-- --check]`; `--check` fails when the bar is missed.
#![forbid(unsafe_code)]

mod callgrind;
mod measure;
mod report;
mod world;

use std::env;
use std::process::ExitCode;

use callgrind::Counts;
use report::Format;

/// Routes of each run; the last against the first is what the bar is about.
const SIZES: &[usize] = &[1_000, 10_000, 100_000];

/// Those of a quick run.
const QUICK_SIZES: &[usize] = &[1_000, 10_000];

/// The argument by which this program counts itself.
const COUNT: &str = "--count";

fn main() -> ExitCode {
    // cargo hands `--bench` to every benchmark.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let [COUNT, routes] = words.as_slice() {
        measure::run(routes.parse().expect("a number of routes"));
        return ExitCode::SUCCESS;
    }
    let sizes = if words.contains(&"--quick") { QUICK_SIZES } else { SIZES };
    let counts: Vec<Counts> = sizes.iter().map(|&routes| callgrind::count(COUNT, routes)).collect();
    let rows = report::rows(&counts);
    report::print(&rows, sizes, Format::of(&words));
    let missed = rows.iter().any(|row| row.within_bar == Some(false));
    if missed && words.contains(&"--check") { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
