//! An object's text as Biplane keeps it: its author's, without the status that Gloo wrote into it, and with
//! its kind where only its place told it.
//!
//! Lines are taken out and put in; nothing is written anew, so that comments stay. Every such edit is
//! checked: the edited text must read as the original does but for what was meant. Where it does not, the
//! original is kept as it is, which Biplane reads all the same.

use std::borrow::Cow;

use biplane_core::key::Kind;
use serde_json::{Map, Value};
use serde_saphyr::{DuplicateKeyPolicy, from_str_with_options, options};

/// Where Gloo keeps its own words about an object.
const STATUS: [&str; 2] = ["status", "namespacedStatuses"];

/// A text, and what was done to it. It may hold secrets, so it has no `Debug`.
pub(super) struct Text {
    /// What is to be stored.
    pub(super) value: String,
    /// Of each of its lines, the line (from 1) of the original that it was.
    lines: Vec<u32>,
    /// Whether Gloo's status was taken out.
    pub(super) status_dropped: bool,
}

impl Text {
    /// The line (from 1) of the original that a line (from 1) of the text was.
    pub(super) fn original_line(&self, line: u32) -> u32 {
        let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        self.lines.get(index).or(self.lines.last()).copied().unwrap_or(1)
    }

    fn unchanged(text: &str) -> Self {
        let lines = (1..).zip(text.lines()).map(|(line, _)| line).collect();
        Self { value: text.to_owned(), lines, status_dropped: false }
    }
}

/// The text of an object of this kind as it is to be stored.
pub(super) fn own(text: &str, kind: Kind) -> Text {
    let Some(original) = fields(text) else { return Text::unchanged(text) };
    let mut wanted = original.clone();
    wanted.retain(|name, _| !STATUS.contains(&name.as_str()));
    let status_dropped = wanted.len() != original.len();
    let has_kind = original.get("kind").is_some_and(|kind| !kind.is_null());
    if !has_kind {
        wanted.insert("kind".to_owned(), kind.as_str().into());
    }
    if wanted == original {
        return Text::unchanged(text);
    }
    let kind = (!has_kind).then_some(kind);
    let edited = if is_flow(text) { flow(text, &wanted) } else { block(text, kind) };
    match edited {
        Some((value, lines)) if fields(&value).as_ref() == Some(&wanted) => {
            Text { value, lines, status_dropped }
        }
        _ => Text::unchanged(text),
    }
}

/// Reads as decoding reads: the first of two fields counts, and `yes` is a word.
fn fields(text: &str) -> Option<Map<String, Value>> {
    let options = options! {
        duplicate_keys: DuplicateKeyPolicy::FirstWins,
        strict_booleans: true,
        with_snippet: false,
    };
    from_str_with_options(text, options).ok()
}

type Edited = (String, Vec<u32>);

/// JSON, or YAML in braces.
fn is_flow(text: &str) -> bool {
    let content = text.lines().map(significant).find(|line| !line.is_empty());
    content.is_some_and(|line| line.trim_start().starts_with('{'))
}

/// JSON has no comments that could get lost, so it is written anew. YAML in braces stays as it is.
fn flow(text: &str, wanted: &Map<String, Value>) -> Option<Edited> {
    serde_json::from_str::<Map<String, Value>>(text).ok()?;
    let mut document = Map::new();
    document.extend(wanted.get_key_value("kind").map(|(name, kind)| (name.clone(), kind.clone())));
    document.extend(wanted.iter().map(|(name, value)| (name.clone(), value.clone())));
    let text = serde_json::to_string_pretty(&document).ok()? + "\n";
    let lines = text.lines().map(|_| 1).collect();
    Some((text, lines))
}

/// Block style: the status is the lines from its key to the next one, and a kind is one more line in front.
fn block(text: &str, mut kind: Option<Kind>) -> Option<Edited> {
    let first = text.lines().find(|line| !significant(line).is_empty())?;
    let margin = &first[..indentation(first)];
    let (mut edited, mut lines, mut in_status) = (String::new(), Vec::new(), false);
    let mut blank = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let content = significant(line);
        if content.is_empty() && !line.trim_start().starts_with('#') && in_status {
            blank.push((number, line));
            continue;
        }
        let is_key = !content.is_empty() && indentation(line) <= margin.len() && !content.starts_with('-');
        let is_remark = content.is_empty() && indentation(line) <= margin.len();
        if is_key || is_remark {
            in_status = is_key && STATUS.iter().any(|name| is_field(content, name));
            if !in_status {
                // What parted the status from its neighbour parts the neighbours now.
                blank.drain(..).for_each(|(number, line)| {
                    edited.push_str(line);
                    lines.push(number);
                });
            }
        }
        if in_status {
            blank.clear();
            continue;
        }
        if let Some(kind) = kind.take_if(|_| is_key) {
            let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
            edited.push_str(&format!("{margin}kind: {kind}{end}"));
            lines.push(number);
        }
        edited.push_str(line);
        lines.push(number);
    }
    Some((edited, lines))
}

/// What a line says: nothing if it is blank, a comment, a directive or a marker.
fn significant(line: &str) -> &str {
    let content = line.trim_start_matches('\u{feff}').trim();
    let is_marker = matches!(content.split_whitespace().next(), Some("---" | "..."))
        && content[3..].trim_start().chars().next().is_none_or(|c| c == '#');
    if is_marker || content.starts_with(['#', '%']) { "" } else { content }
}

fn indentation(line: &str) -> usize {
    line.trim_start_matches('\u{feff}').find(|c| c != ' ').unwrap_or(0)
}

/// Whether a line begins with a field of this name, quoted or not.
fn is_field(content: &str, name: &str) -> bool {
    let quoted = [Cow::Borrowed(name), format!("\"{name}\"").into(), format!("'{name}'").into()];
    let value = quoted.iter().find_map(|name| content.strip_prefix(&**name));
    value.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &str = "\
# The pet store, see the wiki.
metadata:
  name: petstore # ours
  namespace: gloo-system
status:
  reportedBy: gloo
  # Gloo's remark
  state: Accepted

# Who it serves.
virtualHost:
  domains: ['*'] # all
namespacedStatuses:
  statuses:
    gloo-system: {state: 1}
";

    fn text(text: &str) -> String {
        own(text, Kind::VirtualService).value
    }

    #[test]
    fn the_status_goes_the_kind_comes_and_every_comment_of_the_author_stays() {
        let own = own(STORED, Kind::VirtualService);
        assert_eq!(
            own.value,
            "\
# The pet store, see the wiki.
kind: VirtualService
metadata:
  name: petstore # ours
  namespace: gloo-system

# Who it serves.
virtualHost:
  domains: ['*'] # all
"
        );
        assert!(own.status_dropped);
        let lines: Vec<_> = (1..=8).map(|line| own.original_line(line)).collect();
        assert_eq!(lines, [1, 2, 2, 3, 4, 9, 10, 11]);
    }

    #[test]
    fn a_text_that_needs_nothing_is_kept_byte_for_byte() {
        for kept in [
            "kind: Gateway\nmetadata: {name: a}\n\n\n# end",
            "{\"kind\": \"Gateway\",   \"metadata\": {\"name\": \"a\"}}",
            "a: [",
            "- a\n",
        ] {
            assert_eq!(text(kept), kept);
        }
    }

    #[test]
    fn words_that_look_like_a_status_are_no_status() {
        let routes = "kind: VirtualService\nvirtualHost:\n  routes:\n  - directResponseAction:\n      status: 200\n      body: |\n        status: fine\n";
        assert_eq!(text(routes), routes);
        let quoted = "kind: Upstream\nmetadata: {name: 'a\n\nstatus: b'}\n";
        assert_eq!(text(quoted), quoted);
    }

    #[test]
    fn margins_line_ends_and_markers_are_kept() {
        assert_eq!(
            text("---\r\n  metadata: {name: a}\r\n  \"status\":\r\n  - x\r\n"),
            "---\r\n  kind: VirtualService\r\n  metadata: {name: a}\r\n"
        );
    }

    #[test]
    fn json_is_written_anew_with_its_kind_first() {
        let own = own(r#"{"metadata":{"name":"a"},"status":{"state":1},"static":{}}"#, Kind::Upstream);
        let names: Vec<_> = fields(&own.value).expect("JSON").keys().cloned().collect();
        assert_eq!(names, ["kind", "metadata", "static"]);
        assert!(serde_json::from_str::<Value>(&own.value).is_ok() && own.status_dropped);
    }

    #[test]
    fn what_cannot_be_edited_safely_stays_as_it_is() {
        for kept in [
            "{metadata: {name: a}, status: {state: 1}} # braces\n",
            "metadata: {name: a}\nstatus: &s {a: 1}\nstatic: *s\n",
        ] {
            let own = own(kept, Kind::Upstream);
            assert_eq!((own.value.as_str(), own.status_dropped), (kept, false));
        }
    }
}
