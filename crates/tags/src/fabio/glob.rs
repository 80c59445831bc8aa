//! Host patterns: fabio's globs, where `*` stands for any characters, dots too.
//!
//! The syntax: `*`, `**`, `?`, `[abc]`, `[a-z]`, `[!a]`, `{one,two}`, and `\` before a character that is meant as such.

use std::iter::Peekable;
use std::str::Chars;

/// Whether `text` has a character that a glob gives a meaning to.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

/// A regex (RE2, without anchors) for what `glob` matches; an error where fabio refuses it.
pub(super) fn regex(glob: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(glob.len() + 16);
    let mut depth = 0_usize;
    let mut chars = glob.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                while chars.next_if_eq(&'*').is_some() {}
                out.push_str(".*");
            }
            '?' => out.push('.'),
            '[' => class(&mut chars, &mut out)?,
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            '\\' => literal(chars.next().ok_or("nothing stands behind its \\")?, &mut out),
            c => literal(c, &mut out),
        }
    }
    if depth > 0 { Err("its { has no }") } else { Ok(out) }
}

/// What follows a `[`: a range, or a list of characters.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), &'static str> {
    const OPEN: &str = "its [ has no ]";
    out.push('[');
    if chars.next_if_eq(&'!').is_some() {
        out.push('^');
    }
    let first = chars.next().filter(|c| *c != ']').ok_or("its [] is empty")?;
    literal(escaped(first, chars).ok_or(OPEN)?, out);
    if chars.next_if_eq(&'-').is_some() {
        let last = chars.next().ok_or(OPEN)?;
        if last < first {
            return Err("the range in its [] ends before it begins");
        }
        out.push('-');
        literal(last, out);
        if chars.next() != Some(']') {
            return Err("a range in [] stands alone");
        }
        out.push(']');
        return Ok(());
    }
    loop {
        match chars.next().ok_or(OPEN)? {
            ']' => break,
            c => literal(escaped(c, chars).ok_or(OPEN)?, out),
        }
    }
    out.push(']');
    Ok(())
}

fn escaped(c: char, chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    if c == '\\' { chars.next() } else { Some(c) }
}

/// One character that means itself.
fn literal(c: char, out: &mut String) {
    if c.is_ascii_punctuation() && c != '_' {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, text: &str) -> bool {
        let regex = regex(glob).expect(glob);
        regex::Regex::new(&format!("^(?:{regex})$")).expect(glob).is_match(text)
    }

    #[test]
    fn stars_match_anything_and_nothing() {
        for host in ["a.example.com", "a.b.example.com", ".example.com"] {
            assert!(matches("*.example.com", host), "{host}");
            assert!(matches("**.example.com", host), "{host}");
        }
        assert!(!matches("*.example.com", "example.com"));
        assert!(!matches("*.example.com", "a.exampleXcom"));
        assert!(matches("*", ""));
    }

    #[test]
    fn question_marks_match_one_character() {
        assert!(matches("a?.com", "ab.com"));
        assert!(!matches("a?.com", "a.com"));
        assert!(!matches("a?.com", "abc.com"));
    }

    #[test]
    fn brackets_match_one_of_their_characters() {
        assert!(matches("[abc].com", "b.com") && !matches("[abc].com", "d.com"));
        assert!(matches("[a-c].com", "b.com") && !matches("[a-c].com", "d.com"));
        assert!(matches("[!a-c].com", "d.com") && !matches("[!a-c].com", "b.com"));
        assert!(matches("[a^].com", "^.com"));
    }

    #[test]
    fn braces_match_one_of_their_texts() {
        assert!(matches("{www,api-*}.a.com", "api-1.a.com"));
        assert!(matches("{www,api-*}.a.com", "www.a.com"));
        assert!(!matches("{www,api-*}.a.com", "shop.a.com"));
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        assert!(matches("a\\*.com", "a*.com") && !matches("a\\*.com", "ab.com"));
    }

    #[test]
    fn what_is_left_open_is_refused() {
        for glob in ["[ab", "[]", "[", "{a,b", "a\\", "[a-", "[b-a]", "[a-cx]"] {
            assert!(regex(glob).is_err(), "{glob}");
        }
    }

    #[test]
    fn re2_accepts_what_is_made_of_them() {
        for glob in ["*.a-b.com", "[!a-c]?.{x,y*}.com", "a:80", "ä*.com", "{,a}b"] {
            let regex = regex(glob).expect(glob);
            biplane_core::regex::check(&regex).expect(&regex);
        }
    }
}
