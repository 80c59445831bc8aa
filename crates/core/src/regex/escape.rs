//! What follows a backslash. Envoy runs RE2 on bytes (its Latin-1 mode), so characters written as
//! numbers end at 0xff.

use super::RegexError;
use super::parser::Input;
use super::unicode;

/// What an escape stands for.
pub(super) enum Escape {
    /// A byte, or a character of several bytes.
    Character(char),
    /// A class, with its size.
    Class(u64),
    /// A place between characters, or a byte.
    Place,
}

/// Reads an escape outside of a class, behind its backslash at `mark`.
pub(super) fn escape(input: &mut Input<'_>, mark: usize) -> Result<Escape, RegexError> {
    match input.peek() {
        Some('b' | 'B' | 'A' | 'z' | 'C') => {
            input.next();
            if input.peek() == Some('{') && input.rest()[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Err(input.error(mark, "RE2 has no word boundaries with names"));
            }
            Ok(Escape::Place)
        }
        _ => in_class(input, mark),
    }
}

/// Reads an escape as it is within a class too.
pub(super) fn in_class(input: &mut Input<'_>, mark: usize) -> Result<Escape, RegexError> {
    match input.peek() {
        Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => {
            input.next();
            Ok(Escape::Class(4))
        }
        Some('p' | 'P') => {
            input.next();
            unicode_class(input, mark).map(Escape::Class)
        }
        _ => character(input, mark).map(Escape::Character),
    }
}

fn unicode_class(input: &mut Input<'_>, mark: usize) -> Result<u64, RegexError> {
    let name = if input.eat("{") {
        let Some((name, _)) = input.rest().split_once('}') else {
            return Err(input.error(mark, "the name of the Unicode class does not end"));
        };
        input.reset(input.mark() + name.len() + 1);
        name.strip_prefix('^').unwrap_or(name).to_owned()
    } else {
        input.next().map(String::from).unwrap_or_default()
    };
    if unicode::is_class(&name) {
        return Ok(8);
    }
    Err(input
        .error(mark, format!("RE2 has no Unicode class {name:?}: it knows general categories and scripts")))
}

fn character(input: &mut Input<'_>, mark: usize) -> Result<char, RegexError> {
    let Some(c) = input.next() else { return Err(input.error(mark, "a backslash at the end")) };
    match c {
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'a' => Ok('\u{7}'),
        'f' => Ok('\u{c}'),
        'v' => Ok('\u{b}'),
        'x' => hex(input, mark),
        '0' => octal(input, mark, 0),
        '1'..='7' if input.peek().is_some_and(|next| next.is_digit(8)) => {
            octal(input, mark, c as u32 - '0' as u32)
        }
        '1'..='9' => Err(input.error(mark, format!("RE2 has no backreference \\{c}"))),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c),
        _ => Err(input.error(mark, format!("RE2 has no escape \\{c}"))),
    }
}

/// Up to two more octal digits.
fn octal(input: &mut Input<'_>, mark: usize, mut code: u32) -> Result<char, RegexError> {
    for _ in 0..2 {
        if let Some(digit) = input.peek().and_then(|c| c.to_digit(8)) {
            code = code * 8 + digit;
            input.next();
        }
    }
    byte(input, mark, code)
}

/// `\xff` or `\x{ff}`.
fn hex(input: &mut Input<'_>, mark: usize) -> Result<char, RegexError> {
    let digits: String = if input.eat("{") {
        let (digits, _) = input.rest().split_once('}').unwrap_or_default();
        input.reset(input.mark() + digits.len() + usize::from(!digits.is_empty()));
        digits.to_owned()
    } else {
        let two: String = input.rest().chars().take(2).filter(char::is_ascii_hexdigit).collect();
        input.reset(input.mark() + two.len());
        if two.len() == 2 { two } else { String::new() }
    };
    let hexadecimal = digits.chars().all(|c| c.is_ascii_hexdigit());
    match u32::from_str_radix(&digits, 16) {
        Ok(code) if hexadecimal => byte(input, mark, code),
        _ => Err(input.error(mark, "\\x stands before two hexadecimal digits, or some in {}")),
    }
}

fn byte(input: &Input<'_>, mark: usize, code: u32) -> Result<char, RegexError> {
    u8::try_from(code).map(char::from).map_err(|_| {
        input.error(
            mark,
            "Envoy matches bytes: a number stands for one up to 0xff; write the character itself",
        )
    })
}
