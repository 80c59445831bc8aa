//! RE2's syntax to that of the parser at hand, where the two spell things differently.

use std::iter::Peekable;
use std::str::Chars;

/// The same pattern in Rust's syntax. RE2 accepts `text`.
pub(super) fn to_rust(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out, Where::Outside),
            '[' => class(&mut rest, &mut out),
            '(' => group(&mut rest, &mut out),
            '{' if !is_repetition(rest.clone()) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Outside,
    Class,
}

fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String, place: Where) {
    let Some(c) = rest.next() else { return };
    match c {
        'Q' => quoted(rest, out),
        'C' => out.push_str("(?s:.)"),
        'd' => perl(out, place, "[:digit:]"),
        'D' => perl(out, place, "[:^digit:]"),
        'w' => perl(out, place, "[:word:]"),
        'W' => perl(out, place, "[:^word:]"),
        's' => perl(out, place, "[:space:]"),
        'S' => perl(out, place, "[:^space:]"),
        '0'..='7' => octal(c, rest, out),
        // Word boundaries elsewhere, characters in RE2.
        '<' | '>' => out.push(c),
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
}

/// RE2's own are of ASCII.
fn perl(out: &mut String, place: Where, class: &str) {
    match place {
        Where::Class => out.push_str(class),
        Where::Outside => {
            out.push('[');
            out.push_str(class);
            out.push(']');
        }
    }
}

fn quoted(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            return;
        }
        out.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
    }
}

fn octal(first: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut value = first.to_digit(8).unwrap_or_default();
    for _ in 0..2 {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(8)) else { break };
        value = value * 8 + digit;
        rest.next();
    }
    out.push_str(&format!("\\x{{{value:x}}}"));
}

fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '\\' => escape(rest, out, Where::Class),
            '[' if rest.peek() == Some(&':') => named(rest, out),
            '[' => out.push_str("\\["),
            _ => out.push(c),
        }
    }
}

/// `[:alpha:]`, the first bracket of which is read.
fn named(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    for c in rest.by_ref() {
        out.push(c);
        if c == ']' {
            return;
        }
    }
}

/// Names of groups may come twice in RE2; nobody needs them here.
fn group(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('(');
    let ahead: String = rest.clone().take(3).collect();
    if ahead.starts_with("?P<") || ahead.starts_with("?<") {
        rest.by_ref().find(|c| *c == '>');
    }
}

/// Whether what stands behind `{` makes it a repetition: `2}`, `2,}`, `2,3}`.
fn is_repetition(mut rest: Peekable<Chars<'_>>) -> bool {
    let mut digits = || {
        let mut count = 0;
        while rest.next_if(char::is_ascii_digit).is_some() {
            count += 1;
        }
        (count, rest.next())
    };
    match digits() {
        (0, _) => false,
        (_, Some('}')) => true,
        (_, Some(',')) => digits().1 == Some('}'),
        _ => false,
    }
}
