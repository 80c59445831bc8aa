//! Text to documents: where each document of a file starts and ends, and which object it is.
//!
//! Both must work on text that does not decode, so that one bad document costs only itself:
//! [`split`] looks at lines, never at YAML structure, and [`identify`] reads no further than it must.

mod identify;
mod json_stream;
mod locate;

use std::ops::Range;

pub use identify::{IdentifyError, IdentifyHint, identify};
pub use locate::Lines;

/// One document of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentSlice {
    /// Its bytes, without the marker lines around it.
    pub range: Range<usize>,
    /// The line of the text on which `range` starts, from 1.
    pub first_line: u32,
}

/// Splits a text at `---` and `...` lines, and a stream of JSON objects between the objects.
/// Documents that are empty or hold nothing but comments are skipped.
pub fn split(text: &str) -> Vec<DocumentSlice> {
    let mut slices = Vec::new();
    let mut start = Cursor { at: bom_length(text), line: 1 };
    let mut here = start;
    for line in text[start.at..].split_inclusive('\n') {
        let next = Cursor { at: here.at + line.len(), line: here.line + 1 };
        if let Some(marker) = marker_length(line) {
            push(&mut slices, text, start, here.at);
            // `--- {a: b}` starts on the marker's own line.
            let rest_is_blank = line[marker..].trim().is_empty();
            start = if rest_is_blank { next } else { Cursor { at: here.at + marker, line: here.line } };
        }
        here = next;
    }
    push(&mut slices, text, start, text.len());
    slices
}

/// A place in the text.
#[derive(Clone, Copy)]
struct Cursor {
    at: usize,
    line: u32,
}

fn bom_length(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// The length of a document marker at the start of `line`. YAML ends a document there whatever
/// stands open, so no text inside a document can look like one.
fn marker_length(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."))?;
    (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])).then_some(3)
}

fn push(slices: &mut Vec<DocumentSlice>, text: &str, start: Cursor, end: usize) {
    let document = &text[start.at..end];
    if document.lines().all(says_nothing) {
        return;
    }
    for (range, lines) in json_stream::split(document) {
        let range = start.at + range.start..start.at + range.end;
        slices.push(DocumentSlice { range, first_line: start.line + lines });
    }
}

/// A blank line, a comment, or a directive (`%YAML 1.2`).
fn says_nothing(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with(['#', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> Vec<(&str, u32)> {
        split(text).into_iter().map(|slice| (&text[slice.range], slice.first_line)).collect()
    }

    #[test]
    fn split_counts_lines_and_skips_empty_documents() {
        let text = "# head\n---\na: 1\n---\n\n# nothing\n---\nb: 2\nc: 3\n...\n---\nd: 4";
        assert_eq!(documents(text), [("a: 1\n", 3), ("b: 2\nc: 3\n", 8), ("d: 4", 12)]);
    }

    #[test]
    fn split_keeps_what_stands_on_the_marker_line() {
        assert_eq!(
            documents("--- {a: 1}\n--- # comment\nb: 2\n"),
            [(" {a: 1}\n", 1), (" # comment\nb: 2\n", 2)]
        );
    }

    #[test]
    fn split_is_not_misled_by_pem_armour_windows_lines_and_a_byte_order_mark() {
        let pem = "\u{feff}a: |\n  x\n-----BEGIN\r\n---\r\nb: 2\r\n";
        assert_eq!(documents(pem), [("a: |\n  x\n-----BEGIN\r\n", 1), ("b: 2\r\n", 5)]);
    }

    #[test]
    fn split_takes_a_stream_of_json_objects_apart() {
        let text = "{\"a\":\"}\\\"{\"}\n{\n\"b\":[{}]\n}\n{\"c\":1}\n";
        assert_eq!(documents(text), [("{\"a\":\"}\\\"{\"}", 1), ("{\n\"b\":[{}]\n}", 2), ("{\"c\":1}", 5)]);
    }

    #[test]
    fn split_of_nothing_is_nothing() {
        for text in ["", "\n\n", "---\n---\n", "# only\n", "%YAML 1.2\n---\n"] {
            assert!(split(text).is_empty(), "{text:?}");
        }
    }
}
