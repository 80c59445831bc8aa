//! Patterns that are looked for here, not by Envoy.

use regex::{Regex, RegexBuilder};

/// Memory that a compiled pattern may take.
const MOST_BYTES: usize = 1 << 20;

/// A pattern that may be anywhere in a text. Its cost is linear in the text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// Compiles `text`, which RE2 takes.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text).size_limit(MOST_BYTES).build();
        built.map(Self).map_err(|_| format!("{text:?} is a regex that cannot be used here"))
    }

    /// Whether the pattern is somewhere in `text`.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
