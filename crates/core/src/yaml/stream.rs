//! The parser's events, bounded, with the line of each.

use std::borrow::Cow;

use serde_saphyr::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, StrInput, Tag};

/// Deepest nesting of lists and mappings. Users' objects stay below 30.
pub(crate) const MAX_DEPTH: usize = 64;

/// Why a text is not YAML that is read here. Never quotes the text: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What is wrong, without a full stop.
    pub message: String,
    /// The line within the text, from 1.
    pub line: u32,
    /// What to try.
    pub hint: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(line: u32, message: impl Into<String>) -> Self {
        Self { message: message.into(), line, hint: None }
    }

    pub(crate) const fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// One event of a document.
pub(crate) enum Item<'a> {
    /// A scalar; `plain` when it is neither quoted nor tagged as text.
    Scalar { text: Cow<'a, str>, plain: bool, anchor: usize },
    /// A list starts.
    SequenceStart { anchor: usize },
    /// A list ends.
    SequenceEnd,
    /// A mapping starts.
    MappingStart { anchor: usize },
    /// A mapping ends.
    MappingEnd,
    /// A node that an anchor named before.
    Alias(usize),
}

/// The events of one document.
pub(crate) struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        Self(Parser::new_from_str_with_options(text, options))
    }

    /// The next event and its line; `None` at the end of the document.
    pub(crate) fn next(&mut self) -> Result<Option<(Item<'a>, u32)>, Problem> {
        loop {
            let Some(event) = self.0.next_event() else { return Ok(None) };
            let (event, span) = event.map_err(|error| problem(&error))?;
            let line = line(span.start.line());
            let item = match event {
                Event::DocumentEnd | Event::StreamEnd => return Ok(None),
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = plain(style, tag.as_deref(), line)?;
                    Item::Scalar { text, plain, anchor }
                }
                Event::SequenceStart(_, anchor, _) => Item::SequenceStart { anchor },
                Event::SequenceEnd => Item::SequenceEnd,
                Event::MappingStart(_, anchor, _) => Item::MappingStart { anchor },
                Event::MappingEnd => Item::MappingEnd,
                Event::Alias(anchor) => Item::Alias(anchor),
                _ => continue,
            };
            return Ok(Some((item, line)));
        }
    }
}

impl Events<'_> {
    /// Checks that nothing follows the document that has been read.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        while let Some(event) = self.0.next_event() {
            let (event, span) = event.map_err(|error| problem(&error))?;
            if matches!(event, Event::DocumentStart(..)) {
                return Err(Problem::new(line(span.start.line()), "more than one document"));
            }
        }
        Ok(())
    }
}

fn line(line: usize) -> u32 {
    u32::try_from(line.max(1)).unwrap_or(u32::MAX)
}

fn plain(style: ScalarStyle, tag: Option<&Tag>, line: u32) -> Result<bool, Problem> {
    match tag.map(Tag::core_suffix) {
        None => Ok(style == ScalarStyle::Plain),
        Some(Some("str")) => Ok(false),
        Some(Some("int" | "float" | "bool" | "null")) => Ok(true),
        Some(_) => Err(Problem::new(line, "this YAML tag has no meaning here")
            .with_hint("remove the word that starts with `!`")),
    }
}

fn problem(error: &ScanError) -> Problem {
    let line = line(error.marker().line());
    let hint = match error.kind() {
        ErrorKind::TabNotAllowed | ErrorKind::TabInIndentation => Some("indent with spaces"),
        ErrorKind::RecursionLimitExceeded => {
            return Problem::new(line, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        ErrorKind::UnclosedQuotedScalar => Some("close the quote"),
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::MappingValueNotAllowed => Some("compare the indentation with the lines above"),
        _ => None,
    };
    Problem { message: format!("not valid YAML: {}", error.kind()), line, hint }
}
