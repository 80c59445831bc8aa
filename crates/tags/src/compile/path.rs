//! Conditions on the path. Rules see it decoded but for reserved characters, which mean something else when they are
//! encoded: `%2F` stays, and `%20` is never seen. Envoy sees it as it is on the wire, with unreserved characters decoded.

use regex_syntax::hir::{ClassUnicode, Hir, HirKind, Look};

use super::pattern::{self, Inside, Times};
use super::spelling;

/// What a path must be like, in both ways in which Envoy can be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PathTest {
    /// As the matcher's own path.
    pub(super) form: PathForm,
    /// As a regex over `:path`, which has the query behind it.
    pub(super) with_query: String,
}

/// The path of a matcher.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PathForm {
    /// Starts with this.
    Prefix(String),
    /// Is this.
    Exact(String),
    /// As a whole matches this.
    Regex(String),
}

impl Default for PathForm {
    fn default() -> Self {
        Self::Prefix("/".to_owned())
    }
}

/// The path is this. `None`: no path is.
pub(super) fn exact(path: &str) -> Option<PathTest> {
    test(path, &literal(path)?, PathForm::Exact)
}

/// The path starts with this. `None`: no path does.
pub(super) fn prefix(path: &str) -> Option<PathTest> {
    test(path, &Hir::concat(vec![literal(path)?, anything()]), PathForm::Prefix)
}

fn test(path: &str, hir: &Hir, plain: fn(String) -> PathForm) -> Option<PathTest> {
    if !path.starts_with('/') {
        return None;
    }
    let form = if is_plain(path) { plain(path.to_owned()) } else { PathForm::Regex(pattern::print(hir)) };
    Some(PathTest { form, with_query: with_query(hir) })
}

/// The path holds a match of this.
pub(super) fn regex(text: &str) -> Result<PathTest, String> {
    let hir = pattern::parse(text)?;
    if let Some(simple) = simple(&hir) {
        return Ok(simple);
    }
    let on_the_wire = pattern::map(&hir, &spelled, &class);
    let whole = pattern::whole(&on_the_wire, &anything(), Inside::Allowed).unwrap_or(on_the_wire);
    let form = PathForm::Regex(pattern::print(&whole));
    // Anchors inside would see the query.
    let bounded = pattern::whole(&whole, &anything(), Inside::Forbidden).map(|_| whole);
    let bounded = bounded.ok_or("an anchor (^ or $) in the middle of a pattern cannot be said to Envoy")?;
    Ok(PathTest { form, with_query: with_query(&bounded) })
}

/// `^/api` and `^/api$` need no regex.
fn simple(hir: &Hir) -> Option<PathTest> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let is = |part: &Hir, look| matches!(part.kind(), HirKind::Look(each) if *each == look);
    let text = |part: &Hir| match part.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(str::to_owned),
        _ => None,
    };
    match parts.as_slice() {
        [start, path] if is(start, Look::Start) => prefix(&text(path).filter(|text| text.starts_with('/'))?),
        [start, path, end] if is(start, Look::Start) && is(end, Look::End) => exact(&text(path)?),
        _ => None,
    }
}

/// Any characters of a path.
fn anything() -> Hir {
    pattern::any_number(pattern::none_of("\n"))
}

/// The path up to the query, whose `?` no path holds.
fn with_query(path: &Hir) -> String {
    let no_query = pattern::map(path, &pattern::literal, &without_query);
    let rest = pattern::any_number(pattern::none_of("\n"));
    let query = pattern::optional(Hir::concat(vec![pattern::literal("?"), rest]));
    pattern::print(&Hir::concat(vec![no_query, query]))
}

fn without_query(class: &ClassUnicode, _: Times) -> Hir {
    let mut class = class.clone();
    class.difference(&ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new('?', '?')]));
    Hir::class(regex_syntax::hir::Class::Unicode(class))
}

/// Whether the wire has one spelling for it that matters.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| spelling::is_unreserved(c) || spelling::is_reserved(c))
}

/// A path; `None`: no path is like this once it is decoded.
fn literal(path: &str) -> Option<Hir> {
    let hir = spelled(path);
    (!path.contains(['?', '#']) && hir.properties().minimum_len().is_some()).then_some(hir)
}

/// A text as requests may spell it.
fn spelled(text: &str) -> Hir {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if let Some(byte) = spelling::escape_at(rest) {
            parts.push(escape(&rest[..3], char::from(byte)));
            3
        } else {
            parts.push(character(c));
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    Hir::concat(parts)
}

/// What decoding leaves as it is, with digits in either case; nothing for all else.
fn escape(text: &str, encoded: char) -> Hir {
    if encoded != '%' && !spelling::is_reserved(encoded) {
        return Hir::fail();
    }
    Hir::concat(text.chars().map(spelling::either_case).collect())
}

fn character(c: char) -> Hir {
    if spelling::is_unreserved(c) || spelling::is_reserved(c) || c == '%' {
        return pattern::literal(c.encode_utf8(&mut [0; 4]));
    }
    Hir::alternation(vec![pattern::literal(c.encode_utf8(&mut [0; 4])), spelling::encoded(c)])
}

/// A class with a blank matches its encoding too. In a row, `.` and the like match that by its characters.
fn class(class: &ClassUnicode, times: Times) -> Hir {
    spelling::with_blank(class, class, times)
}
