//! How many tests of a binary run at a time. Cargo starts every test binary through `cargo xtask runner`, which says it to
//! the test harness and becomes the binary.
//!
//! Tests with servers wait more than they work. End to end, Envoys and load work too, and many at a time make every
//! one of them slow.

use std::num::NonZero;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::failure::{Attempt, Failure, Result};

/// How many tests of a binary run at a time, to the test harness. Who sets it decides.
const THREADS: &str = "RUST_TEST_THREADS";

/// How the name of the end-to-end binary begins.
const END_TO_END: &str = "e2e-";

/// Has cargo start test binaries by us.
pub(super) fn choose(cargo: &mut Command) -> Result<()> {
    let own = std::env::current_exe().attempt(|| "cannot find this program".into())?;
    let own = own.to_string_lossy().replace('\\', r"\\").replace('"', "\\\"");
    cargo.args(["--config", &format!(r#"target."cfg(all())".runner = ["{own}", "runner"]"#)]);
    Ok(())
}

/// `cargo xtask runner BINARY ARGUMENTS..`
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [program, arguments @ ..] = arguments else {
        return Err(Failure::new("runner is for cargo, which names a binary"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if std::env::var_os(THREADS).is_none() {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        command.env(THREADS, threads(program, cores).to_string());
    }
    // Comes back only if there is no such binary.
    Err(command.exec()).attempt(|| format!("cannot start {program}"))
}

fn threads(program: &str, cores: usize) -> usize {
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    let busy = cores.clamp(2, 4);
    if name.starts_with(END_TO_END) { busy } else { 2 * busy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_only_wait_run_many_at_a_time() {
        assert_eq!(threads("/w/target/debug/deps/consul-1a", 2), 4);
        assert_eq!(threads("/w/target/debug/deps/e2e-1a", 2), 2);
        assert_eq!(threads("/w/target/debug/deps/e2e-1a", 64), 4);
    }
}
