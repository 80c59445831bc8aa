//! What a change does to a text, as people read it.

use std::time::Duration;

use biplane_core::key::ObjectKey;
use similar::TextDiff;

use crate::document::{self, Document};
use crate::plan::Planned;
use crate::redact::{holds_secrets, redacted, redacted_since};

/// A long text that changed all over gets a diff that is longer than it had to be, rather than later.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is said instead of the texts of a secret that does not parse.
const HIDDEN: &str = "(secret value changed)\n";

/// What is said of a secret whose values are what they were.
const LAYOUT: &str = "(comments or layout changed)\n";

/// The unified diff of a planned change; empty if the text stays as it is.
pub(crate) fn of(planned: &Planned) -> String {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let before = planned.before.as_ref().map(|object| text(&object.value)).unwrap_or_default();
    let after = planned.after.as_ref().map(|object| text(&object.value)).unwrap_or_default();
    if before == after {
        return String::new();
    }
    let (before_title, after_title) = titles(planned);
    match visible(&planned.key, before, after) {
        Ok((before, after)) => unified(&before, &after, &before_title, &after_title),
        Err(instead) => format!("--- {before_title}\n+++ {after_title}\n{instead}"),
    }
}

/// Both sides without secrets, or what to say instead.
fn visible(key: &ObjectKey, before: String, after: String) -> Result<(String, String), &'static str> {
    let (old, new) = (Side::of(&before), Side::of(&after));
    if !old.holds_secrets(key) && !new.holds_secrets(key) {
        return Ok((before, after));
    }
    let (Some(old), Some(new)) = (old.document, new.document) else { return Err(HIDDEN) };
    let shown = (write(&redacted(old.clone()), &before), write(&redacted_since(new, &old), &after));
    if shown.0 == shown.1 { Err(LAYOUT) } else { Ok(shown) }
}

/// One side of a change.
struct Side<'a> {
    text: &'a str,
    document: Option<Document>,
}

impl<'a> Side<'a> {
    fn of(text: &'a str) -> Self {
        // A side that is not there is an empty document.
        let document = if text.is_empty() { Some(Document::new()) } else { document::parse(text) };
        Self { text, document }
    }

    fn holds_secrets(&self, key: &ObjectKey) -> bool {
        holds_secrets(key, self.text, self.document.as_ref())
    }
}

fn write(document: &Document, like: &str) -> String {
    if like.is_empty() { String::new() } else { document::write(document, like) }
}

fn titles(planned: &Planned) -> (String, String) {
    let key = &planned.key;
    let before = planned
        .before
        .as_ref()
        .map_or_else(|| "/dev/null".to_owned(), |object| format!("{key} (revision {})", object.revision));
    let after = planned
        .after
        .as_ref()
        .map_or_else(|| "/dev/null".to_owned(), |object| format!("{key} ({})", object.location));
    (before, after)
}

fn unified(before: &str, after: &str, before_title: &str, after_title: &str) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    diff.unified_diff().context_radius(3).header(before_title, after_title).to_string()
}
