//! Classes in brackets.

use super::RegexError;
use super::escape::{Escape, in_class};
use super::parser::Input;

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Reads a class behind its bracket at `mark`; yields its size.
pub(super) fn class(input: &mut Input<'_>, mark: usize) -> Result<u64, RegexError> {
    let negated = input.eat("^");
    let mut size = u64::from(negated) + 1;
    let mut first = true;
    loop {
        match input.peek() {
            None => return Err(input.error(mark, "missing ]")),
            Some(']') if !first => {
                input.next();
                return Ok(size);
            }
            Some(_) => size += member(input)?,
        }
        first = false;
    }
}

fn member(input: &mut Input<'_>) -> Result<u64, RegexError> {
    let mark = input.mark();
    if let Some(size) = posix(input)? {
        return Ok(size);
    }
    for operation in ["&&[", "--[", "~~["] {
        if input.rest().starts_with(operation) {
            return Err(input.error(mark, format!("RE2 has no class operation {}", &operation[..2])));
        }
    }
    let low = match single(input)? {
        Member::Class(size) => return Ok(size),
        Member::Bytes { last, .. } => last,
    };
    let rest = input.rest();
    if !rest.starts_with('-') || rest[1..].starts_with(']') || rest.len() == 1 {
        return Ok(1);
    }
    input.next();
    match single(input)? {
        Member::Class(_) => Err(input.error(mark, "a range of characters cannot end in a class")),
        Member::Bytes { first, .. } if first < low => {
            Err(input.error(mark, "a range of characters runs backwards"))
        }
        Member::Bytes { .. } => Ok(2),
    }
}

/// One member of a class. Envoy runs RE2 on bytes, so a range reaches from the last byte of its first
/// character to the first byte of its last.
enum Member {
    Class(u64),
    Bytes { first: u8, last: u8 },
}

fn single(input: &mut Input<'_>) -> Result<Member, RegexError> {
    let mark = input.mark();
    match input.next() {
        Some('\\') => Ok(match in_class(input, mark)? {
            Escape::Class(size) => Member::Class(size),
            Escape::Character(c) => number(c),
            Escape::Place => Member::Class(1),
        }),
        Some(c) => Ok(written(c)),
        None => Err(input.error(mark, "missing ]")),
    }
}

/// A character as it stands in the pattern, in UTF-8.
fn written(c: char) -> Member {
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).as_bytes();
    Member::Bytes { first: bytes[0], last: bytes[bytes.len() - 1] }
}

/// A byte that an escape stands for.
fn number(c: char) -> Member {
    let byte = u8::try_from(c).unwrap_or(u8::MAX);
    Member::Bytes { first: byte, last: byte }
}

/// `[:alpha:]`; not that when no `:]` follows.
fn posix(input: &mut Input<'_>) -> Result<Option<u64>, RegexError> {
    let mark = input.mark();
    let Some(behind) = input.rest().strip_prefix("[:") else { return Ok(None) };
    let Some((name, _)) = behind.split_once(":]") else { return Ok(None) };
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(input.error(mark, format!("RE2 has no class [:{name}:]")));
    }
    input.reset(mark + name.len() + 4);
    Ok(Some(4))
}
