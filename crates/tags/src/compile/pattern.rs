//! Regular expressions as trees: read from RE2's syntax, reshaped, and printed in RE2's syntax again.
//!
//! Tags hold patterns that may match anywhere in a value; Envoy compares whole values, on the wire's own spelling.
//! What lies between the two is done on trees, so that no text is ever cut or glued by guess.

mod adapt;
mod print;

use biplane_core::regex as re2;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

pub(super) use print::print;

/// Reads a pattern; the error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Hir, String> {
    re2::check(text).map_err(|error| error.to_string())?;
    let adapted = adapt::to_rust(text);
    ParserBuilder::new()
        .build()
        .parse(&adapted)
        .map_err(|_| "it is beyond what is read of RE2's syntax".to_owned())
}

/// A text as it stands.
pub(super) fn literal(text: &str) -> Hir {
    Hir::literal(text.as_bytes())
}

/// A text of these characters.
pub(super) fn characters(text: &str, each: impl Fn(char) -> Hir) -> Hir {
    Hir::concat(text.chars().map(each).collect())
}

/// Any one character that is none of these.
pub(super) fn none_of(excluded: &str) -> Hir {
    let mut class = class_of(excluded.chars());
    class.negate();
    Hir::class(Class::Unicode(class))
}

/// One of these characters.
pub(super) fn one_of(characters: impl IntoIterator<Item = char>) -> Hir {
    Hir::class(Class::Unicode(class_of(characters)))
}

fn class_of(characters: impl IntoIterator<Item = char>) -> ClassUnicode {
    ClassUnicode::new(characters.into_iter().map(|c| ClassUnicodeRange::new(c, c)))
}

/// Any number of them.
pub(super) fn any_number(hir: Hir) -> Hir {
    Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub: Box::new(hir) })
}

/// At least one of them.
pub(super) fn at_least_one(hir: Hir) -> Hir {
    Hir::repetition(Repetition { min: 1, max: None, greedy: true, sub: Box::new(hir) })
}

/// There or not.
pub(super) fn optional(hir: Hir) -> Hir {
    Hir::repetition(Repetition { min: 0, max: Some(1), greedy: true, sub: Box::new(hir) })
}

/// How often a class stands in a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// So and so often.
    Counted,
    /// As often as one likes: several characters match where one does.
    Many,
}

/// What a class becomes.
type OfClass<'a> = &'a dyn Fn(&ClassUnicode, Times) -> Hir;

/// The tree with every literal text and every class put through a function.
pub(super) fn map(hir: &Hir, text: &dyn Fn(&str) -> Hir, class: OfClass<'_>) -> Hir {
    mapped(hir, text, class, Times::Counted)
}

fn mapped(hir: &Hir, text: &dyn Fn(&str) -> Hir, class: OfClass<'_>, times: Times) -> Hir {
    let each = |part: &Hir| mapped(part, text, class, Times::Counted);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => hir.clone(),
        HirKind::Literal(literal) => text(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(Class::Unicode(this)) => class(this, times),
        HirKind::Class(Class::Bytes(this)) => {
            this.to_unicode_class().map_or_else(|| hir.clone(), |this| class(&this, times))
        }
        HirKind::Repetition(repetition) => {
            let times = if repetition.max.is_none() { Times::Many } else { Times::Counted };
            Hir::repetition(repetition.with(mapped(&repetition.sub, text, class, times)))
        }
        HirKind::Capture(capture) => mapped(&capture.sub, text, class, times),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(each).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(each).collect()),
    }
}

/// The tree with each `^` and `$` replaced.
pub(super) fn replace_anchors(hir: &Hir, start: &Hir, end: &Hir) -> Hir {
    let each = |part: &Hir| replace_anchors(part, start, end);
    match hir.kind() {
        HirKind::Look(Look::Start) => start.clone(),
        HirKind::Look(Look::End) => end.clone(),
        HirKind::Repetition(repetition) => Hir::repetition(repetition.with(each(&repetition.sub))),
        HirKind::Capture(capture) => each(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(each).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(each).collect()),
        _ => hir.clone(),
    }
}

/// A tree that matches a whole value where the pattern matches somewhere in it. `filler` is what may stand around
/// the match. No anchor is left at the ends; `None` where one is left inside and `inside` forbids it.
pub(super) fn whole(hir: &Hir, filler: &Hir, inside: Inside) -> Option<Hir> {
    let mut alternatives = Vec::new();
    for ends in alternatives_of(hir, EXPANSIONS) {
        if inside == Inside::Forbidden && has_anchor(&ends.middle) {
            return None;
        }
        let before = (!ends.from_start).then(|| filler.clone());
        let behind = (!ends.to_end).then(|| filler.clone());
        alternatives.push(Hir::concat(before.into_iter().chain([ends.middle]).chain(behind).collect()));
    }
    Some(Hir::alternation(alternatives))
}

/// Whether anchors may stay inside a tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// The tree is the whole of what is compared: they mean what they meant.
    Allowed,
    /// More stands around it.
    Forbidden,
}

/// How often an alternation at an end is taken apart to find the anchors in it.
const EXPANSIONS: usize = 16;

/// One alternative of a pattern, its anchors at the ends taken off.
pub(super) struct Ends {
    pub(super) from_start: bool,
    pub(super) to_end: bool,
    pub(super) middle: Hir,
}

/// The alternatives of a pattern. Those at an end that hold anchors are multiplied out.
pub(super) fn alternatives_of(hir: &Hir, budget: usize) -> Vec<Ends> {
    match hir.kind() {
        HirKind::Capture(capture) => alternatives_of(&capture.sub, budget),
        HirKind::Alternation(parts) => {
            parts.iter().flat_map(|part| alternatives_of(part, budget / parts.len().max(1))).collect()
        }
        HirKind::Concat(parts) => concatenation(parts, budget),
        HirKind::Look(Look::Start) => vec![Ends { from_start: true, to_end: false, middle: Hir::empty() }],
        HirKind::Look(Look::End) => vec![Ends { from_start: false, to_end: true, middle: Hir::empty() }],
        _ => vec![Ends { from_start: false, to_end: false, middle: hir.clone() }],
    }
}

fn concatenation(parts: &[Hir], budget: usize) -> Vec<Ends> {
    if let Some((position, choices)) = anchored_choice(parts).filter(|(_, choices)| choices.len() <= budget) {
        let with = |choice: &Hir| {
            let mut parts = parts.to_vec();
            parts[position] = choice.clone();
            alternatives_of(&Hir::concat(parts), budget / choices.len())
        };
        return choices.iter().flat_map(with).collect();
    }
    let is = |look| move |part: &&Hir| matches!(part.kind(), HirKind::Look(each) if *each == look);
    let start = parts.iter().take_while(is(Look::Start)).count();
    let end = parts[start..].iter().rev().take_while(is(Look::End)).count();
    let middle = parts[start..parts.len() - end].to_vec();
    vec![Ends { from_start: start > 0, to_end: end > 0, middle: Hir::concat(middle) }]
}

/// An alternation with an anchor in it, as the first or the last part.
fn anchored_choice(parts: &[Hir]) -> Option<(usize, Vec<Hir>)> {
    [0, parts.len() - 1].into_iter().find_map(|position| {
        let mut part = &parts[position];
        while let HirKind::Capture(capture) = part.kind() {
            part = &capture.sub;
        }
        match part.kind() {
            HirKind::Alternation(choices) if has_anchor(part) => Some((position, choices.clone())),
            // A group that starts or ends with an anchor.
            HirKind::Concat(_) if has_anchor(part) => Some((position, vec![part.clone()])),
            HirKind::Repetition(each) if each.min == 0 && each.max == Some(1) && has_anchor(part) => {
                Some((position, vec![(*each.sub).clone(), Hir::empty()]))
            }
            _ => None,
        }
    })
}

fn has_anchor(hir: &Hir) -> bool {
    let looks = hir.properties().look_set();
    looks.contains(Look::Start) || looks.contains(Look::End)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole_of(text: &str) -> String {
        let filler = any_number(none_of("\n"));
        print(&whole(&parse(text).unwrap(), &filler, Inside::Allowed).unwrap())
    }

    #[test]
    fn a_pattern_that_may_match_anywhere_becomes_one_of_the_whole_value() {
        for (pattern, expected) in [
            ("/v[0-9]+/", ".*/v[0-9]+/.*"),
            ("^/api", "/api.*"),
            ("^/api$", "/api"),
            ("^a$|^b$", "[ab]"),
            ("(^|/)x", "x.*|.*/x.*"),
            ("(^a|b$)", "a.*|.*b"),
            ("(?P<n>x)(?:/|$)", ".*x/.*|.*x"),
        ] {
            assert_eq!(whole_of(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_the_engines_spell_differently_is_read_as_re2_means_it() {
        for (pattern, expected) in [
            (r"^\Q.*\E$", r"\.\*"),
            ("^a{$", r"a\{"),
            ("^a{,2}$", r"a\{,2\}"),
            (r"^\d\w$", "[0-9][0-9A-Z_a-z]"),
            (r"^[\d-]$", r"[\-0-9]"),
            ("^[a[b]$", r"[\[ab]"),
            (r"^\12$", r"\x{a}"),
            ("^(?P<n>a)(?P<n>b)$", "ab"),
            (r"^\<$", "<"),
            ("^[^/]+$", "[^/]+"),
            ("^(?i)a$", "[Aa]"),
            ("^x{2,3}?$", "x{2,3}"),
        ] {
            assert_eq!(whole_of(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        assert!(parse("^/a(?!b)").unwrap_err().contains("look-ahead"));
    }

    #[test]
    fn an_anchor_inside_is_not_put_between_other_texts() {
        let hir = parse("a(b|c^)d").unwrap();
        assert!(whole(&hir, &Hir::empty(), Inside::Forbidden).is_none());
    }
}
