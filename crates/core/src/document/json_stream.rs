//! JSON objects that follow each other in one text (NDJSON, or pretty-printed ones).

use std::ops::Range;

/// The ranges of the JSON objects in `text`, each with the count of lines before it. Text that is
/// not plainly a stream of JSON objects comes back whole, for the YAML parser to judge.
pub(super) fn split(text: &str) -> Vec<(Range<usize>, u32)> {
    objects(text).filter(|objects| objects.len() > 1).unwrap_or_else(|| vec![(0..text.len(), 0)])
}

fn objects(text: &str) -> Option<Vec<(Range<usize>, u32)>> {
    let mut found = Vec::new();
    let (mut at, mut lines) = (0, 0);
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        lines += newlines(&rest[..blank]);
        at += blank;
        if at == text.len() {
            return Some(found);
        }
        let length = object_length(&text[at..])?;
        found.push((at..at + length, lines));
        lines += newlines(&text[at..at + length]);
        at += length;
    }
}

fn newlines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// The length of the JSON object that `text` starts with.
fn object_length(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at + 1),
            b'}' => depth = depth.checked_sub(1)?,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}
