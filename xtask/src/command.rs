//! Running other programs: found on the PATH or not, quietly or in full view, and what they said when they failed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::failure::{Attempt, Failure, Result};
use crate::progress;

/// How much of a failed program's words is repeated.
const TAIL_LINES: usize = 30;

/// Where a program is on the PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// Runs a program without showing its output, and returns what it wrote to stdout.
pub(crate) fn quietly(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().attempt(|| describe(command))?;
    if !output.status.success() {
        return Err(Failure::new(format!(
            "{} failed ({}):\n{}",
            describe(command),
            output.status,
            words(&output)
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program whose words on stderr are its sign of life, and ends it when it has been silent for too long.
pub(crate) fn watched(command: &mut Command, silence: Duration) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .attempt(|| describe(command))?;
    let lines = lines_of(&mut child);
    let mut said = Vec::new();
    loop {
        match lines.recv_timeout(silence) {
            Ok(line) => said.push(line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(silent(command, silence, &said));
            }
        }
    }
    let status = child.wait().attempt(|| describe(command))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{} failed ({status}):\n{}", describe(command), tail(&said.join("\n")))))
}

fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let errors = child.stderr.take().expect("piped by the caller");
    // Ends with the program's stderr; nobody waits for it, since a grandchild may hold on to that for longer.
    std::thread::spawn(move || {
        for line in BufReader::new(errors).lines().map_while(std::result::Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn silent(command: &Command, silence: Duration, said: &[String]) -> Failure {
    let last = said.last().map_or("nothing", String::as_str);
    let silence = progress::seconds(silence);
    Failure::new(format!(
        "{} was silent for {silence} and was ended; its last words: {last}",
        describe(command)
    ))
}

/// Runs a program with its errors in full view, and returns what it wrote to stdout for us.
pub(crate) fn messages(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().attempt(|| describe(command))?;
    if !output.status.success() {
        return Err(Failure::new(format!("{} failed ({})", describe(command), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program with its output in full view.
pub(crate) fn in_view(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().attempt(|| describe(command))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{} failed ({status})", describe(command))))
}

/// Whether a program runs and ends well.
pub(crate) fn works(program: &Path, arguments: &[&str]) -> bool {
    quietly(Command::new(program).args(arguments)).is_ok()
}

/// The cargo that runs us, so that a toolchain chosen for us is chosen for what we run.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::workspace::root());
    command
}

/// The command line as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn words(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    tail(&String::from_utf8_lossy(&both))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_is_reported_with_its_command_line_and_words() {
        let failure = quietly(Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"]))
            .expect_err("the program exits with 3")
            .to_string();
        assert!(failure.contains("sh -c"), "{failure}");
        assert!(failure.contains("no such thing"), "{failure}");
    }

    #[test]
    fn a_silent_program_is_ended_and_its_last_words_are_repeated() {
        let mut silent = Command::new("sh");
        silent.args(["-c", "echo fetching >&2; exec sleep 600"]);
        let failure = watched(&mut silent, Duration::from_millis(300)).expect_err("ended by us").to_string();
        assert!(failure.ends_with("last words: fetching"), "{failure}");
    }

    #[test]
    fn a_watched_program_that_ends_is_judged_by_its_status() {
        let minute = Duration::from_mins(1);
        let failure = watched(Command::new("sh").args(["-c", "echo no route >&2; exit 3"]), minute)
            .expect_err("the program exits with 3");
        assert!(failure.to_string().contains("no route"), "{failure}");
        watched(Command::new("sh").args(["-c", "echo talk >&2"]), minute).expect("the program exits with 0");
    }

    #[test]
    fn messages_for_us_are_not_repeated_to_a_person() {
        let failure = messages(Command::new("sh").args(["-c", "echo data; exit 1"]))
            .expect_err("the program exits with 1");
        assert_eq!(failure.to_string().lines().count(), 1, "{failure}");
    }

    #[test]
    fn only_the_end_of_long_output_is_repeated() {
        let long = (0..100).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        assert_eq!(tail(&long).lines().count(), TAIL_LINES);
        assert!(tail(&long).ends_with("99"));
    }
}
