//! A server as a child process: its log in a file, its end by its own pid, its words in the panic message.

mod usage;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};

use crate::eventually::{Hopeless, poll};
pub use usage::Usage;

/// How long a server may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(30);

/// Lines of the log in a panic message.
const TAIL_LINES: usize = 40;

/// A child process, killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both its streams going to `<directory>/<name>.log`, behind what is there already.
    pub fn spawn(name: &str, mut command: Command, directory: &Path) -> Self {
        let log = directory.join(format!("{name}.log"));
        let open =
            || File::options().create(true).append(true).open(&log).expect("the log's directory is writable");
        let spawned = command.stdin(Stdio::null()).stdout(open()).stderr(open()).spawn();
        let child = spawned.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has said so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Where its log is.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child is ours to wait for")
    }

    /// Asks until the answer is `Ok`. Panics with the end of the log when `patience` is used up or the process ends.
    pub async fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut probe: impl AsyncFnMut() -> Result<T>,
    ) -> T {
        let answer = poll(patience, async || match self.child.try_wait()? {
            Some(status) => Err(Hopeless(format!("the process ended with {status}")).into()),
            None => probe().await,
        });
        match answer.await {
            Ok(answer) => answer,
            Err(last) => panic!(
                "waited up to {patience:?} for {what} of {}; last seen: {last:#}\nthe end of {}:\n{}",
                self.name,
                self.log.display(),
                tail(&self.log())
            ),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        // A process that has ended is no reason to panic: whoever cares looks at its exit status.
        let _ = kill_process(pid, signal);
    }

    /// Stops it where it is (`kill -STOP`), and returns when it stands still. Its connections stay open.
    pub async fn pause(&mut self) {
        self.signal(Signal::STOP);
        let pid = self.pid();
        self.until("its standstill", GRACE, async || usage::standstill(pid)).await;
    }

    /// Lets it go on after a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end, as systemd does, and waits until it has; a paused one goes on to do so.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.resume();
        self.wait(GRACE).await
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) -> ExitStatus {
        let _ = self.child.kill();
        self.child.wait().expect("the child is ours to wait for")
    }

    /// Waits for its own end.
    pub async fn wait(&mut self, patience: Duration) -> ExitStatus {
        let ended = poll(patience, async || {
            self.child.try_wait()?.ok_or_else(|| anyhow::anyhow!("it still runs after {patience:?}"))
        });
        match ended.await {
            Ok(status) => status,
            Err(last) => panic!("{}: {last}\nthe end of its log:\n{}", self.name, tail(&self.log())),
        }
    }

    /// The memory and processor time that it has used so far.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the end of {}'s log:\n{}", self.name, tail(&self.log()));
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;
    use crate::TempDir;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn shell(script: &str, directory: &Path) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("shell", command, directory)
    }

    #[tokio::test]
    async fn readiness_is_awaited_and_the_log_is_kept() {
        let directory = TempDir::new("process");
        let mut process = shell("echo ready; exec sleep 60", directory.path());
        let log = process.log_path().to_owned();
        let probe = async || {
            let words = fs::read_to_string(&log)?;
            ensure!(words.contains("ready"), "it said {words:?}");
            Ok(())
        };
        process.until("its word", PATIENCE, probe).await;
        assert_eq!(process.log(), "ready\n");
        assert!(process.usage().expect("it runs").resident_bytes > 0);
    }

    #[tokio::test]
    async fn a_paused_process_stands_still_until_it_is_resumed() {
        let directory = TempDir::new("process");
        let mut process = shell("while :; do echo tick; sleep 0.01; done", directory.path());
        process.pause().await;
        let before = process.log();
        crate::throughout("silence", Duration::from_millis(100), async || {
            ensure!(process.log() == before, "it still talks");
            Ok(())
        })
        .await;
        process.resume();
        crate::eventually("another word", PATIENCE, async || {
            ensure!(process.log() != before, "silence");
            Ok(())
        })
        .await;
        process.pause().await;
        assert!(!process.terminate().await.success(), "a paused process can be ended");
    }

    #[tokio::test]
    #[should_panic(expected = "no such file of configuration")]
    async fn a_server_that_ends_early_fails_with_its_last_words() {
        // Not a TempDir, which would be kept.
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let mut process = shell("echo no such file of configuration; exit 1", directory.path());
        process.until::<()>("readiness", PATIENCE, async || anyhow::bail!("not yet")).await;
    }

    #[tokio::test]
    async fn a_process_that_is_asked_to_end_may_do_so_in_order() {
        let directory = TempDir::new("process");
        let mut process = shell(
            "trap 'echo in order; exit 7' TERM; echo up; while :; do sleep 0.01; done",
            directory.path(),
        );
        let log = process.log_path().to_owned();
        let up = async || {
            ensure!(fs::read_to_string(&log)?.contains("up"), "not up");
            Ok(())
        };
        process.until("its start", PATIENCE, up).await;
        assert_eq!(process.terminate().await.code(), Some(7));
        assert!(process.log().contains("in order"));
    }
}
