//! The two streams: stdout is data, stderr is talk. Nothing else in this crate prints.
//!
//! A reader that closes the pipe early (`biplane translate | head`) has what it wants; that is no error.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::exit::Failure;

/// Writes data to stdout, with a line end behind it.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_live(text).map(|_| ())
}

/// The same for what goes on for long: says whether anybody still reads.
pub(crate) fn print_live(text: &str) -> Result<Reader, Failure> {
    write(&mut io::stdout().lock(), text)
}

/// Writes many pieces, one after the other, without holding them all.
pub(crate) fn print_each(pieces: impl IntoIterator<Item = Result<String, Failure>>) -> Result<(), Failure> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    for piece in pieces {
        if let Reader::Gone = write_unflushed(&mut stdout, &piece?)? {
            return Ok(());
        }
    }
    outcome(stdout.flush()).map(|_| ())
}

/// Whether what is written is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// As far as one can tell.
    There,
    /// It has closed its end: it has what it wants.
    Gone,
}

fn write(out: &mut impl Write, text: &str) -> Result<Reader, Failure> {
    match write_unflushed(out, text)? {
        Reader::There => outcome(out.flush()),
        Reader::Gone => Ok(Reader::Gone),
    }
}

fn write_unflushed(out: &mut impl Write, text: &str) -> Result<Reader, Failure> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    outcome(write!(out, "{text}{end}"))
}

fn outcome(written: io::Result<()>) -> Result<Reader, Failure> {
    match written {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Failure::failed(format!("cannot write to stdout: {error}"))),
    }
}

/// Says something to the person at the terminal. Whether anybody listens changes nothing.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says why a command did not do what was asked.
pub(crate) fn say_failure(failure: &Failure) {
    say(&format!("{} {failure}", paint("31;1", "error:", &io::stderr())));
}

/// JSON for machines: indented, since people look at it too.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))
}

/// JSON on one line, for what comes line by line.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))
}

/// YAML.
pub(crate) fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    serde_saphyr::to_string(value).map_err(|error| Failure::failed(format!("cannot write YAML: {error}")))
}

/// A table for people that `grep` and `awk` read too: one line a row, two spaces between columns, no
/// lines drawn, nothing cut.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(
            row.into_iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { one_line(&cell) }),
        );
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Text of others on one line, so that it cannot pass for lines of ours.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether colours are wanted on a stream: it is a terminal, and `NO_COLOR` is not set.
pub(crate) fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Text in a colour (an ANSI code) where colours are wanted.
pub(crate) fn paint(code: &str, text: &str, stream: &impl IsTerminal) -> String {
    if coloured(stream) { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_lines_of_columns_and_shows_what_is_empty() {
        let rows = vec![vec!["a".to_owned(), String::new()], vec!["long one".to_owned(), "b\nc".to_owned()]];
        assert_eq!(table(&["NAME", "VALUE"], rows), "NAME      VALUE\na         -\nlong one  b c");
    }
}
