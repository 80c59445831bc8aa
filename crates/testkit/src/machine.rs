//! A clean Debian with a systemd of its own: a copy of the tree that `cargo xtask tools` has unpacked, booted by
//! systemd-nspawn, with a loopback that nobody else is on.
//!
//! It takes root. Commands run in the machine one at a time and are told by their scripts; who wants to send it requests enters its
//! network with [`Machine::enter_network`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, kill_process, pidfd_open};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::command::{self, Output};
use crate::directory::TempDir;
use crate::process::Process;
use crate::tools::Tool;

const TREE: Tool = Tool { variable: "BIPLANE_DEBIAN", package: "debian", version: "12-1", file: "bin/sh" };

/// How long it may take to boot, on a machine that does much else.
const BOOT: Duration = Duration::from_mins(1);

/// How long a command in it may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The variables that a login of root has.
const ENVIRONMENT: [&str; 3] =
    ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb"];

/// How long the processes of a machine may take to be gone when its first one is killed.
const END: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A running machine. It is gone, tree and all, when this is dropped.
#[derive(Debug)]
pub struct Machine {
    process: Process,
    init: u32,
    groups: Vec<PathBuf>,
    root: PathBuf,
    directory: TempDir,
}

impl Machine {
    /// Copies the tree, boots it, and waits until it has come up.
    pub async fn boot(name: &str) -> Self {
        assert!(geteuid().is_root(), "a machine takes root: systemd-nspawn boots it");
        let directory = TempDir::new(name);
        let root = directory.join("root");
        let copy = Command::new("cp").args(["-a", "--reflink=auto"]).arg(tree()).arg(&root).status();
        assert!(copy.is_ok_and(|status| status.success()), "cannot copy the tree to {}", root.display());
        let groups = control_groups(&directory);
        let mut nspawn = Command::new("sh");
        nspawn.args(["-e", "-c", &in_groups(&groups), "sh", "systemd-nspawn"]);
        nspawn.args(["--quiet", "--register=no", "--keep-unit", "--private-network", "--boot"]);
        nspawn.arg("--machine").arg(name).arg("--directory").arg(&root);
        let mut process = Process::spawn("machine", nspawn, directory.path());
        let parent = process.pid();
        let init = process.until("its init", BOOT, async || child_of(parent)).await;
        let mut machine = Self { process, init, groups, root, directory };
        machine.come_up().await;
        machine
    }

    async fn come_up(&mut self) {
        let init = self.init;
        let up = async || {
            let state = run(init, "systemctl is-system-running").await?;
            ensure!(matches!(state.stdout.trim(), "running" | "degraded"), "{state:?}");
            Ok(())
        };
        self.process.until("its services", BOOT, up).await;
    }

    /// A path of the machine, as seen from here.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Puts a file into it; its mode is kept.
    pub fn bring(&self, file: &Path, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().expect("a file is in a folder")).expect("the tree is ours");
        fs::copy(file, &to).unwrap_or_else(|error| panic!("cannot bring {}: {error}", file.display()));
    }

    /// Runs a script of the shell as root, in root's home, and stops at the first command that fails.
    pub async fn run(&self, script: &str) -> Result<Output> {
        run(self.init, script).await
    }

    /// Runs a script that has to work; `what` is what the failure is called.
    pub async fn done(&self, what: &str, script: &str) -> String {
        match self.run(script).await.and_then(Output::success) {
            Ok(said) => said,
            Err(error) => panic!("{what}: {error:#}\nthe script:\n{script}"),
        }
    }

    /// Moves the calling thread onto the network of the machine, and all threads that it starts from here on.
    pub fn enter_network(&self) -> Result<()> {
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.init))?;
        let kind = LinkNameSpaceType::Network;
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(kind))
            .context("entering its network")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut journal = inside(self.init, "journalctl --no-pager --output short-precise --lines 300");
            let text = journal.output().map(|output| output.stdout).unwrap_or_default();
            let _ = fs::write(self.directory.join("journal.log"), &text);
            eprintln!("the end of the machine's journal:\n{}", String::from_utf8_lossy(&text));
        }
        // nspawn's own end would leave them running: with the first process all others go.
        if let Some(init) = i32::try_from(self.init).ok().and_then(Pid::from_raw) {
            end(init);
        }
        self.process.kill();
        self.groups.iter().for_each(|group| remove_groups(group));
        // It is large, and the journal tells more.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The tree to copy.
fn tree() -> PathBuf {
    match std::env::var_os(TREE.variable).filter(|tree| !tree.is_empty()) {
        Some(tree) => tree.into(),
        None => TREE.path().ancestors().nth(2).expect("bin/sh is two folders down").to_owned(),
    }
}

async fn run(init: u32, script: &str) -> Result<Output> {
    command::run(inside(init, script), b"", PATIENCE).await
}

fn inside(init: u32, script: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg("--target").arg(init.to_string());
    command.args(["--mount", "--uts", "--ipc", "--pid", "--net", "--cgroup", "--", "env", "-i"]);
    command.args(ENVIRONMENT).args(["sh", "-e", "-c", &format!("cd /srv\n{script}")]).stdin(Stdio::null());
    command
}

/// Control groups of its own, in the hierarchies that systemd manages: the new one, or the old one and beside it the new.
/// Two machines in one group would each take the other's services for its own.
fn control_groups(directory: &TempDir) -> Vec<PathBuf> {
    let unified = Path::new("/sys/fs/cgroup/cgroup.procs").exists();
    let tops: &[&str] =
        if unified { &["/sys/fs/cgroup"] } else { &["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"] };
    let name = directory.path().file_name().expect("a directory has a name");
    tops.iter().map(Path::new).filter(|top| top.exists()).map(|top| top.join(name)).collect()
}

/// A script that goes into the groups and becomes the command that it is given.
fn in_groups(groups: &[PathBuf]) -> String {
    let go = |group: &PathBuf| format!("mkdir {0}; echo $$ > {0}/cgroup.procs; ", group.display());
    groups.iter().map(go).collect::<String>() + r#"exec "$@""#
}

/// Kills a process and waits until it has ended.
fn end(process: Pid) {
    // It has ended already.
    let Ok(handle) = pidfd_open(process, PidfdFlags::empty()) else { return };
    let _ = kill_process(process, Signal::KILL);
    let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&END));
}

/// The files of a group are the kernel's; a group without processes goes when its folder does, its own groups first.
fn remove_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().filter_map(std::result::Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

fn child_of(parent: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let Some(child) = children.split_whitespace().next() else { bail!("it has not begun") };
    let child = child.parse()?;
    let name = fs::read_to_string(format!("/proc/{child}/comm"))?;
    ensure!(name.trim() == "systemd", "it is {} still", name.trim());
    Ok(child)
}
