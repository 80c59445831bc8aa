//! Patterns with named parts: `spiffe://example.org/fleet/{fleet}`, and texts that are made of what they captured.
//!
//! A part, `{name}` or the nameless `*`, stands for letters, digits, `-`, `_` and `.`, at least one of them, and in
//! host names for no `.`. So it never reaches over a `/`, and nothing that was captured needs to be escaped.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;

/// What the parts of patterns stood for, by their names.
pub(crate) type Captures = BTreeMap<String, String>;

/// A pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    names: Vec<String>,
}

/// What a pattern is for, which says what a part may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A host name: a part is one label.
    Host,
    /// A URI or a claim: a part is one segment.
    Text,
}

/// A text with the names of parts in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(String),
    Star,
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        let part = match kind {
            Kind::Host => "([A-Za-z0-9_-]+)",
            Kind::Text => "([A-Za-z0-9._-]+)",
        };
        let (mut expression, mut names) = (String::from(r"\A"), Vec::new());
        for piece in pieces(text)? {
            match piece {
                Piece::Text(text) if kind == Kind::Host => {
                    expression += &regex::escape(&text.to_ascii_lowercase());
                }
                Piece::Text(text) => expression += &regex::escape(&text),
                Piece::Star => {
                    names.push(String::new());
                    expression += part;
                }
                Piece::Part(name) if names.contains(&name) => {
                    return Err(format!("{{{name}}} is there twice"));
                }
                Piece::Part(name) => {
                    names.push(name);
                    expression += part;
                }
            }
        }
        let regex = Regex::new(&(expression + r"\z")).map_err(|_| "it is too long".to_owned())?;
        Ok(Self { regex, names })
    }

    /// What its parts stand for in a text; nothing if it does not match.
    pub(crate) fn captures(&self, text: &str) -> Option<Captures> {
        let found = self.regex.captures(text)?;
        let parts = found.iter().skip(1).map(|part| part.map_or("", |part| part.as_str()));
        let named = self.names.iter().zip(parts).filter(|(name, _)| !name.is_empty());
        Some(named.map(|(name, part)| (name.clone(), part.to_owned())).collect())
    }

    /// What it captures.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).filter(|name| !name.is_empty())
    }
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let pieces = pieces(text)?;
        if pieces.contains(&Piece::Star) {
            return Err("* cannot be told from anything: name the part, {name}".to_owned());
        }
        if pieces.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(pieces)) }
    }

    /// The parts that it needs.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Part(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The text with its parts filled in; nothing if one is missing, which rules rule out when they are read.
    pub(crate) fn fill(&self, captures: &Captures) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Part(name) => captures.get(name).map(String::as_str),
                Piece::Star => None,
            })
            .collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Part(name) => write!(f, "{{{name}}}"),
            Piece::Star => f.write_str("*"),
        })
    }
}

/// Adds what was captured elsewhere. `false`: the two disagree about a part.
pub(crate) fn join(captures: &mut Captures, more: Captures) -> bool {
    more.into_iter().all(|(name, part)| *captures.entry(name).or_insert_with(|| part.clone()) == part)
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(['{', '}', '*']) {
        if at > 0 {
            pieces.push(Piece::Text(rest[..at].to_owned()));
        }
        let from = &rest[at..];
        rest = match from.strip_prefix('{').and_then(|from| from.split_once('}')) {
            Some((name, rest)) if is_name(name) => {
                pieces.push(Piece::Part(name.to_owned()));
                rest
            }
            None if from.starts_with('*') => {
                pieces.push(Piece::Star);
                &from[1..]
            }
            _ => {
                return Err(format!(
                    "{:?} is no part such as {{fleet}}",
                    from.chars().take(32).collect::<String>()
                ));
            }
        };
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(pattern: &str) -> Pattern {
        Pattern::parse(pattern, Kind::Text).expect("a pattern")
    }

    #[test]
    fn a_part_is_one_segment_and_never_more() {
        let pattern = text("spiffe://example.org/fleet/{fleet}");
        let fleet = |uri: &str| pattern.captures(uri).map(|captures| captures["fleet"].clone());
        assert_eq!(fleet("spiffe://example.org/fleet/edge"), Some("edge".to_owned()));
        for other in ["edge/", "", "edge/x", "a%2fb", "e\n", "édge", "edge?x=y"] {
            assert_eq!(fleet(&format!("spiffe://example.org/fleet/{other}")), None, "{other:?}");
        }
        assert_eq!(fleet("spiffe://exampleXorg/fleet/edge"), None, "a dot is a dot");
        assert_eq!(fleet("x spiffe://example.org/fleet/edge"), None, "the whole name counts");
    }

    #[test]
    fn a_part_of_a_host_is_one_label_and_case_does_not_matter() {
        let pattern = Pattern::parse("*.{fleet}.Example.org", Kind::Host).expect("a pattern");
        let captures = pattern.captures("node-1.edge.example.org").expect("it matches");
        assert_eq!(captures, Captures::from([("fleet".to_owned(), "edge".to_owned())]));
        assert!(pattern.captures("a.node-1.edge.example.org").is_none());
        assert!(pattern.captures("*.edge.example.org").is_none(), "a wildcard certificate is no node");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for wrong in ["{", "}", "{}", "{a b}", "a{b", "{a}{a}", "{fleet"] {
            assert!(Pattern::parse(wrong, Kind::Text).is_err(), "{wrong}");
        }
        assert!(Template::parse("edge-*").is_err());
        assert!(Template::parse("").is_err());
    }

    #[test]
    fn captures_that_disagree_do_not_join() {
        let one = || Captures::from([("fleet".to_owned(), "a".to_owned())]);
        assert!(join(&mut one(), one()));
        assert!(!join(&mut one(), Captures::from([("fleet".to_owned(), "b".to_owned())])));
    }

    proptest! {
        #[test]
        fn what_fills_a_template_is_what_the_same_pattern_captures(
            one in "[A-Za-z0-9._-]{1,12}",
            two in "[A-Za-z0-9._-]{1,12}",
        ) {
            let text = "spiffe://t/{one}/x/{two}";
            let parts = Captures::from([("one".to_owned(), one), ("two".to_owned(), two)]);
            let filled = Template::parse(text).expect("a template").fill(&parts).expect("all parts are there");
            prop_assert_eq!(Pattern::parse(text, Kind::Text).expect("a pattern").captures(&filled), Some(parts));
        }

        #[test]
        fn whatever_is_captured_holds_no_separator(uri in ".{0,40}") {
            if let Some(captures) = text("{a}/{b}").captures(&uri) {
                prop_assert!(captures.values().all(|part| !part.is_empty() && !part.contains(['/', '%', ' '])));
            }
        }

        #[test]
        fn no_text_is_too_odd_to_be_read(text in ".{0,40}") {
            let _ = Pattern::parse(&text, Kind::Text);
            let _ = Template::parse(&text);
        }
    }
}
