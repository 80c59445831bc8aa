//! Conditions on headers. Envoy joins the values of a header with commas; a rule asks for one of them.

use regex_syntax::hir::{Hir, Look};
use serde_json::{Value, json};

use super::pattern;

/// A header matcher of core's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HeaderTest {
    /// The header's name, in lower case.
    name: String,
    /// The value or the pattern; empty: any value.
    value: String,
    is_regex: bool,
    inverted: bool,
}

impl HeaderTest {
    /// The whole value matches a pattern.
    pub(super) fn regex(name: &str, pattern: String) -> Self {
        Self { name: name.to_ascii_lowercase(), value: pattern, is_regex: true, inverted: false }
    }

    /// The whole value is this.
    pub(super) fn exact(name: &str, value: &str) -> Self {
        if value.is_empty() {
            return Self::regex(name, "()".to_owned());
        }
        Self { name: name.to_ascii_lowercase(), value: value.to_owned(), is_regex: false, inverted: false }
    }

    /// The header is not there.
    pub(super) fn absent(name: &str) -> Self {
        Self { name: name.to_ascii_lowercase(), value: String::new(), is_regex: false, inverted: true }
    }

    /// The opposite, for headers that are there.
    #[must_use]
    pub(super) fn inverted(mut self) -> Self {
        self.inverted = !self.inverted;
        self
    }

    pub(super) fn json(&self) -> Value {
        let mut json = json!({ "name": self.name });
        for (field, value) in [
            ("value", (!self.value.is_empty()).then(|| json!(self.value))),
            ("regex", self.is_regex.then(|| json!(true))),
            ("invertMatch", self.inverted.then(|| json!(true))),
        ] {
            if let Some(value) = value {
                json[field] = value;
            }
        }
        json
    }
}

/// Whether a header is to be missing while another test asks for its value. Inverted ones do so too.
pub(super) fn contradict(tests: &[HeaderTest]) -> bool {
    let is_absent = |test: &HeaderTest| test.value.is_empty() && test.inverted;
    let mut absent = tests.iter().filter(|test| is_absent(test));
    absent.any(|one| tests.iter().any(|other| other.name == one.name && !is_absent(other)))
}

/// Whether a header has one value always.
pub(super) fn is_pseudo(name: &str) -> bool {
    name.starts_with(':')
}

/// One value of the header is this.
pub(super) fn equals(name: &str, value: &str) -> HeaderTest {
    if is_pseudo(name) {
        return HeaderTest::exact(name, value);
    }
    let hir = Hir::concat(vec![before(), pattern::literal(value), behind()]);
    HeaderTest::regex(name, pattern::print(&hir))
}

/// One value of the header holds a match of this. A pattern without anchors may reach over commas: a value may hold some.
pub(super) fn matches(name: &str, text: &str) -> Result<HeaderTest, String> {
    let hir = pattern::parse(text)?;
    let anything = pattern::any_number(pattern::none_of("\n"));
    let alternatives = pattern::alternatives_of(&hir, 16).into_iter().map(|ends| {
        let start = if ends.from_start { before() } else { anything.clone() };
        let end = if ends.to_end { behind() } else { anything.clone() };
        let comma = || pattern::literal(",");
        let inside = pattern::replace_anchors(
            &ends.middle,
            &Hir::alternation(vec![Hir::look(Look::Start), comma()]),
            &Hir::alternation(vec![Hir::look(Look::End), comma()]),
        );
        Hir::concat(vec![start, inside, end])
    });
    Ok(HeaderTest::regex(name, pattern::print(&Hir::alternation(alternatives.collect()))))
}

/// `(.*,)?`
fn before() -> Hir {
    let anything = pattern::any_number(pattern::none_of("\n"));
    pattern::optional(Hir::concat(vec![anything, pattern::literal(",")]))
}

/// `(,.*)?`
fn behind() -> Hir {
    let anything = pattern::any_number(pattern::none_of("\n"));
    pattern::optional(Hir::concat(vec![pattern::literal(","), anything]))
}
