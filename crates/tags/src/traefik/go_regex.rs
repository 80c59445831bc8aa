//! Replacements in the form of the Go language (`$1`, `${name}`) to the form of RE2 that Envoy takes (`\1`).

use biplane_core::regex;
use regex_syntax::ast::{self, Ast, GroupKind, parse::Parser};

/// The pattern of a text as it is.
pub(crate) fn quote(text: &str) -> String {
    regex_syntax::escape(text)
}

/// A text as a replacement that yields it.
pub(crate) fn literal(text: &str) -> String {
    text.replace('\\', r"\\")
}

/// A piece of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// What a group matched; 0: all.
    Group(usize),
}

/// The pieces of `replacement` for what `pattern` matches. A group that the pattern has not is nothing, as in Go.
pub(crate) fn pieces(pattern: &str, replacement: &str) -> Result<Vec<Piece>, String> {
    let groups =
        regex::groups(pattern).map_err(|error| format!("{pattern:?} is no regex of RE2: {error}"))?;
    let names = names(pattern);
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some((before, behind)) = rest.split_once('$') {
        pieces.push(Piece::Text(before.to_owned()));
        if let Some(behind) = behind.strip_prefix('$') {
            pieces.push(Piece::Text("$".to_owned()));
            rest = behind;
            continue;
        }
        let Some((name, behind)) = name(behind) else {
            pieces.push(Piece::Text("$".to_owned()));
            rest = behind;
            continue;
        };
        let group = match name.parse::<usize>() {
            Ok(number) => Some(number).filter(|number| *number <= groups),
            Err(_) => names.iter().find(|(_, known)| known == name).map(|(number, _)| *number),
        };
        pieces.extend(group.map(Piece::Group));
        rest = behind;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    Ok(pieces)
}

/// `replacement` in RE2's form.
pub(crate) fn replacement(pattern: &str, replacement: &str) -> Result<String, String> {
    pieces(pattern, replacement)?
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => Ok(literal(text)),
            Piece::Group(number @ 0..=9) => Ok(format!("\\{number}")),
            Piece::Group(number) => Err(format!("the replacement has group {number}, Envoy knows nine")),
        })
        .collect()
}

/// The name behind a `$`, in braces or as long as letters, digits and `_` go, and what follows.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    if let Some(inside) = text.strip_prefix('{') {
        return inside.split_once('}').filter(|(name, _)| !name.is_empty() && name.chars().all(is_name));
    }
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    Some(text.split_at(end)).filter(|(name, _)| !name.is_empty())
}

/// The numbers of the groups that have a name.
fn names(pattern: &str) -> Vec<(usize, String)> {
    let Ok(tree) = Parser::new().parse(pattern) else { return Vec::new() };
    ast::visit(&tree, Names(Vec::new())).expect("the visitor never fails")
}

struct Names(Vec<(usize, String)>);

impl ast::Visitor for Names {
    type Output = Vec<(usize, String)>;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        if let Ast::Group(group) = ast
            && let GroupKind::CaptureName { name, .. } = &group.kind
        {
            self.0.push((name.index as usize, name.name.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_are_read_as_go_reads_them() {
        let pattern = "^/(?P<first>[a-z]+)/(.*)$";
        for (go, re2) in [
            ("/x/$1", r"/x/\1"),
            ("/x/${2}y", r"/x/\2y"),
            ("/${first}/$first", r"/\1/\1"),
            ("/$1x", "/"),
            ("/$3-$$1", "/-$1"),
            ("/$-$", "/$-$"),
            (r"/a\b", r"/a\\b"),
            ("$0", r"\0"),
            ("${", "${"),
        ] {
            assert_eq!(replacement(pattern, go).as_deref(), Ok(re2), "{go}");
        }
        assert!(replacement("(", "x").unwrap_err().contains("no regex"));
    }
}
