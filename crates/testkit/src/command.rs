//! A command that runs to its end, and what it has said.

use std::process::{self, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a command has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

impl Output {
    /// Its data, or an error with its talk if it failed.
    pub fn success(self) -> Result<String> {
        if self.code == 0 {
            return Ok(self.stdout);
        }
        bail!("exit code {}: {}{}", self.code, self.stderr.trim(), self.stdout.trim())
    }

    /// Its data, where each line is a JSON value.
    pub fn json_lines(&self) -> Result<Vec<Value>> {
        let lines = self.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        lines.with_context(|| format!("not lines of JSON: {:?} {:?}", self.stdout, self.stderr))
    }
}

impl From<process::Output> for Output {
    fn from(output: process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command with `input`, without blocking the test's runtime. It is killed when its time is up.
pub(crate) async fn run(command: process::Command, input: &[u8], patience: Duration) -> Result<Output> {
    let mut command = Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let mut stdin = child.stdin.take().expect("piped above");
    let feed = async move {
        // A command that does not read its input closes it early, and says why if that is a mistake.
        let _ = stdin.write_all(input).await;
    };
    let both = async { tokio::join!(feed, child.wait_with_output()).1 };
    let ended = tokio::time::timeout(patience, both).await;
    let output = ended.with_context(|| format!("{command:?} still runs after {patience:?}"))?;
    Ok(output.context("its output")?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> process::Command {
        let mut command = process::Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn input_goes_in_and_output_comes_out() {
        let output = run(shell("cat; echo talk >&2; exit 3"), b"data", Duration::from_secs(10)).await;
        let expected = Output { code: 3, stdout: "data".into(), stderr: "talk\n".into() };
        assert_eq!(output.expect("it runs"), expected);
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_cut_off() {
        let error = run(shell("sleep 60"), b"", Duration::from_millis(50)).await.expect_err("too long");
        assert!(error.to_string().contains("still runs"), "{error:#}");
    }
}
