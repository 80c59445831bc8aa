//! What a person sees: numbered steps on stderr, results on stdout.
//!
//! A step that says nothing for a while is reported as still running, with its elapsed time, so that
//! nobody has to guess whether a machine hangs.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How long a step may be silent.
const SILENCE: Duration = Duration::from_secs(15);

/// Writes a result to stdout. A closed pipe is the reader's choice, not an error.
pub(crate) fn print(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Says something to the person at the terminal.
pub(crate) fn say(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Reports the end of a command that did not work.
pub(crate) fn failed(failure: &Failure) {
    say(&format!("{} {failure}", paint(RED, "error:")));
}

/// Counts the steps of a verb.
pub(crate) struct Steps {
    total: usize,
    current: usize,
    started: Instant,
}

impl Steps {
    /// A verb of `total` steps.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, current: 0, started: Instant::now() }
    }

    /// Starts the next step.
    pub(crate) fn next(&mut self, name: impl Into<String>) -> Step {
        self.current += 1;
        let label = paint(BOLD, &format!("[{}/{}]", self.current, self.total));
        Step { label, name: name.into(), started: Instant::now() }
    }

    /// Time since the first step.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A step that is under way.
pub(crate) struct Step {
    label: String,
    name: String,
    started: Instant,
}

impl Step {
    /// Says what the step does now.
    pub(crate) fn say(&self, what: &str) {
        say(&format!("{} {}: {what}", self.label, self.name));
    }

    /// Says what the step does now and, until the answer is dropped, that it still does.
    pub(crate) fn working(&self, what: &str) -> Heartbeat {
        self.say(&format!("{what} ..."));
        Heartbeat::start(format!("{} {}: still {what}", self.label, self.name))
    }

    /// Ends the step.
    pub(crate) fn done(self, result: &str) -> Duration {
        let elapsed = self.started.elapsed();
        self.say(&format!("{} ({})", paint(GREEN, result), seconds(elapsed)));
        elapsed
    }
}

/// Repeats a line until dropped.
pub(crate) struct Heartbeat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    fn start(line: String) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || beat(&line, &stopped));
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn beat(line: &str, stopped: &Receiver<()>) {
    let started = Instant::now();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(SILENCE) {
        say(&format!("{line} ({})", seconds(started.elapsed())));
    }
}

/// `3.2 s`, `2 min 05 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    format!("{} min {:02} s", whole / 60, whole % 60)
}

/// The colours used; plain where stderr is no terminal or `NO_COLOR` is set.
pub(crate) const RED: &str = "31;1";
const GREEN: &str = "32";
const BOLD: &str = "1";

/// Text in a colour, if the reader can see colours.
pub(crate) fn paint(colour: &str, text: &str) -> String {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if no_color || !stderr().is_terminal() {
        return text.to_owned();
    }
    format!("\x1b[{colour}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_in_seconds_and_then_in_minutes() {
        assert_eq!(seconds(Duration::from_millis(3_210)), "3.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
