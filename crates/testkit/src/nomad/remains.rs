//! What an agent leaves behind: helpers and tasks that run on, and file systems that it has mounted.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to be gone once it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Ends every process that works in the folder or has it in its command line, and lets go of what is mounted there.
pub(super) fn end(folder: &Path) {
    let started = Instant::now();
    loop {
        let left = processes(folder);
        if left.is_empty() || started.elapsed() > GRACE {
            break;
        }
        for pid in left {
            // It may have ended since.
            let _ = kill_process(pid, Signal::KILL);
        }
        // The kernel takes a moment, and there is nothing to wait on: they are no children of ours.
        sleep(Duration::from_millis(5));
    }
    for mount in mounts(folder) {
        let _ = Command::new("umount").arg("--lazy").arg(mount).status();
    }
}

fn processes(folder: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = i32::try_from(std::process::id()).ok();
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = pids.filter(|pid| Some(*pid) != own && belongs(*pid, folder));
    found.filter_map(Pid::from_raw).collect()
}

fn belongs(pid: i32, folder: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    // A zombie has neither.
    let works_there = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    let names_it = || {
        let needle = folder.as_os_str().as_bytes();
        fs::read(process.join("cmdline"))
            .is_ok_and(|line| line.windows(needle.len()).any(|window| window == needle))
    };
    works_there || names_it()
}

/// The innermost first.
fn mounts(folder: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = table.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    let mut found: Vec<PathBuf> = places.filter(|place| place.starts_with(folder)).collect();
    found.reverse();
    found
}
