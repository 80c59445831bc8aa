//! What a process uses, as Linux counts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Memory and processor time of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory now.
    pub resident_bytes: u64,
    /// Processor time of the threads that are alive, since their start, to the nanosecond.
    pub processor: Duration,
}

impl Usage {
    /// Reads `/proc`.
    pub(super) fn of(pid: u32) -> Result<Self> {
        Ok(Self { resident_bytes: resident(pid)?, processor: processor(pid)? })
    }
}

fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS: a zombie?")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS in kB")?;
    Ok(kibibytes * 1024)
}

/// From each thread's `schedstat`: the ticks in `stat` are 10 ms, far too coarse for an idle process.
fn processor(pid: u32) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
        // A thread may end between the listing and the reading.
        let Ok(schedstat) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let nanoseconds =
            schedstat.split(' ').next().context("schedstat is empty")?.parse().context("nanoseconds")?;
        total += Duration::from_nanos(nanoseconds);
    }
    Ok(total)
}

/// Whether every thread of a process has been stopped by a signal.
pub(super) fn standstill(pid: u32) -> Result<()> {
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
        let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else { continue };
        // The name before it may contain anything, parentheses included.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        ensure!(state == Some('T'), "a thread is in state {state:?}");
    }
    Ok(())
}
