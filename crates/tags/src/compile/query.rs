//! Conditions on query parameters. A parameter may come several times, which Envoy's own matcher does not see, so they
//! are patterns over `:path`.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Hir};

use super::header::HeaderTest;
use super::pattern::{self, Inside, Times};
use super::spelling;

/// One value of the parameter is this; `None`: it is there with nothing.
pub(super) fn equals(name: &str, value: Option<&str>) -> HeaderTest {
    let value = match value {
        None | Some("") => pattern::optional(pattern::literal("=")),
        Some(value) => Hir::concat(vec![pattern::literal("="), text(value)]),
    };
    parameter(name, value)
}

/// One value of the parameter holds a match of this.
pub(super) fn matches(name: &str, pattern: &str) -> Result<HeaderTest, String> {
    let hir = pattern::map(&pattern::parse(pattern)?, &text, &class);
    let filler = pattern::any_number(pattern::none_of("&#"));
    let value = pattern::whole(&hir, &filler, Inside::Forbidden)
        .ok_or("an anchor (^ or $) in the middle of a pattern cannot be said to Envoy")?;
    let with_value = Hir::concat(vec![pattern::literal("="), value.clone()]);
    // `?q` is `q` with an empty value.
    let empty = value.properties().minimum_len() == Some(0);
    Ok(parameter(name, if empty { pattern::optional(with_value) } else { with_value }))
}

/// `[^?]*\?(.*&)?name=value(&.*)?`
fn parameter(name: &str, value: Hir) -> HeaderTest {
    let anything = || pattern::any_number(pattern::none_of("\n"));
    let hir = Hir::concat(vec![
        pattern::any_number(pattern::none_of("?")),
        pattern::literal("?"),
        pattern::optional(Hir::concat(vec![anything(), pattern::literal("&")])),
        text(name),
        value,
        pattern::optional(Hir::concat(vec![pattern::literal("&"), anything()])),
    ]);
    HeaderTest::regex(":path", pattern::print(&hir))
}

fn text(text: &str) -> Hir {
    pattern::characters(text, character)
}

/// Every character that is not unreserved may come encoded; some have no other way.
fn character(c: char) -> Hir {
    let raw = pattern::literal(c.encode_utf8(&mut [0; 4]));
    match c {
        _ if spelling::is_unreserved(c) => raw,
        ' ' => Hir::alternation(vec![pattern::literal("+"), spelling::encoded(c)]),
        '&' | '#' | '+' | '%' | ';' => spelling::encoded(c),
        _ => Hir::alternation(vec![raw, spelling::encoded(c)]),
    }
}

/// The class within one value.
fn class(class: &ClassUnicode, times: Times) -> Hir {
    let mut raw = class.clone();
    raw.difference(&ClassUnicode::new(['&', '#'].map(|c| ClassUnicodeRange::new(c, c))));
    if spelling::holds(class, ' ') {
        raw.push(ClassUnicodeRange::new('+', '+'));
    }
    spelling::with_blank(class, &raw, times)
}
