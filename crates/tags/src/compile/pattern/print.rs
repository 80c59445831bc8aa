//! A tree as a pattern in RE2's syntax. All groups that are printed capture nothing.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

/// The pattern.
pub(in crate::compile) fn print(hir: &Hir) -> String {
    let mut out = String::new();
    write(hir, Level::Alternation, &mut out);
    // RE2 takes no empty pattern, and an empty value asks for presence only.
    if out.is_empty() { "()".to_owned() } else { out }
}

/// What may stand without a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Alternation,
    Concatenation,
    Repeated,
}

fn write(hir: &Hir, level: Level, out: &mut String) {
    let needed = match hir.kind() {
        HirKind::Alternation(_) => Level::Alternation,
        HirKind::Literal(literal) if String::from_utf8_lossy(&literal.0).chars().count() > 1 => {
            Level::Concatenation
        }
        HirKind::Concat(_) | HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => {
            Level::Concatenation
        }
        HirKind::Capture(capture) => return write(&capture.sub, level, out),
        HirKind::Literal(_) | HirKind::Class(_) => Level::Repeated,
    };
    let grouped = needed < level;
    out.push_str(if grouped { "(?:" } else { "" });
    bare(hir, out);
    out.push_str(if grouped { ")" } else { "" });
}

fn bare(hir: &Hir, out: &mut String) {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            String::from_utf8_lossy(&literal.0).chars().for_each(|c| character(c, OUTSIDE, out));
        }
        HirKind::Class(Class::Unicode(each)) => class(each, out),
        HirKind::Class(Class::Bytes(each)) => {
            class(&each.to_unicode_class().unwrap_or_else(ClassUnicode::empty), out);
        }
        HirKind::Look(look) => out.push_str(anchor(*look)),
        HirKind::Repetition(each) => repetition(each, out),
        HirKind::Capture(capture) => bare(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, Level::Concatenation, out)),
        HirKind::Alternation(parts) => {
            for (position, part) in parts.iter().enumerate() {
                out.push_str(if position == 0 { "" } else { "|" });
                write(part, Level::Concatenation, out);
            }
        }
    }
}

fn anchor(look: Look) -> &'static str {
    match look {
        Look::Start => "^",
        Look::End => "$",
        Look::StartLF | Look::StartCRLF => "(?m:^)",
        Look::EndLF | Look::EndCRLF => "(?m:$)",
        Look::WordAsciiNegate | Look::WordUnicodeNegate => "\\B",
        _ => "\\b",
    }
}

fn repetition(each: &Repetition, out: &mut String) {
    write(&each.sub, Level::Repeated, out);
    match (each.min, each.max) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (min, None) => out.push_str(&format!("{{{min},}}")),
        (min, Some(max)) if min == max => out.push_str(&format!("{{{min}}}")),
        (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
    }
}

/// Everything but a line break: no value that Envoy compares holds one.
fn is_dot(class: &ClassUnicode) -> bool {
    let mut others = class.clone();
    others.negate();
    others.ranges().iter().all(|range| range.start() == '\n' && range.end() == '\n')
}

fn class(class: &ClassUnicode, out: &mut String) {
    if is_dot(class) {
        return out.push('.');
    }
    if let [one] = class.ranges()
        && one.start() == one.end()
    {
        return character(one.start(), OUTSIDE, out);
    }
    let mut shown = class.clone();
    let negated =
        class.ranges().is_empty() || class.ranges().last().is_some_and(|last| last.end() == char::MAX);
    if negated {
        shown.negate();
        // Beside others, a line break in what is left out says nothing: no value holds one.
        shown.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
    }
    out.push_str(if negated { "[^" } else { "[" });
    shown.ranges().iter().for_each(|each| range(*each, out));
    out.push(']');
}

fn range(range: ClassUnicodeRange, out: &mut String) {
    character(range.start(), IN_CLASS, out);
    if range.start() == range.end() {
        return;
    }
    if u32::from(range.start()) + 1 < u32::from(range.end()) {
        out.push('-');
    }
    character(range.end(), IN_CLASS, out);
}

/// Characters that mean something outside of a class, and inside.
const OUTSIDE: &str = r"\.+*?()|[]{}^$";
const IN_CLASS: &str = r"\[]^-&~";

fn character(c: char, special: &str, out: &mut String) {
    if c.is_control() || c.is_whitespace() && c != ' ' {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
        return;
    }
    if special.contains(c) {
        out.push('\\');
    }
    out.push(c);
}
