//! `$name` and `${name}` in hosts and paths, with the rules of Go's `os.Expand`, which fabio uses.

use std::collections::BTreeMap;

/// `text` with the names of `variables` in place; a name that is not there stays, as `$name`.
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        let (name, used) = name(behind);
        rest = &behind[used..];
        match name {
            // Without a name, `$` is a character; `${}` and `${` without an end are nothing.
            None if used == 0 => out.push('$'),
            None => {}
            Some(name) => match variables.get(name) {
                Some(value) => out.push_str(value),
                None => out.extend(["$", name]),
            },
        }
    }
    out + rest
}

/// The name behind a `$`, and how much of `text` it takes.
fn name(text: &str) -> (Option<&str>, usize) {
    if let Some(inner) = text.strip_prefix('{') {
        return braced(inner);
    }
    let special = text.chars().next().filter(|c| is_special(*c));
    let length = match special {
        Some(_) => 1,
        None => text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count(),
    };
    ((length > 0).then(|| &text[..length]), length)
}

/// `name}`, behind `${`. What cannot be read ends where Go gives up on it.
fn braced(inner: &str) -> (Option<&str>, usize) {
    match inner.find('}') {
        Some(0) => (None, 2),
        Some(end) => (Some(&inner[..end]), end + 2),
        None => (None, 1),
    }
}

/// Names of one character, as shells have them.
const fn is_special(c: char) -> bool {
    matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let variables = [("DC", "dc1"), ("x", "Xx"), ("empty", "")];
        expand(text, &variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn names_are_replaced_with_and_without_braces() {
        assert_eq!(expanded("a.$DC.example.com"), "a.dc1.example.com");
        assert_eq!(expanded("${DC}x${x}"), "dc1xXx");
        assert_eq!(expanded("a${empty}b"), "ab");
    }

    #[test]
    fn names_end_where_their_characters_do() {
        assert_eq!(expanded("$DCx-$x-"), "$DCx-Xx-");
        assert_eq!(expanded("$x.y"), "Xx.y");
    }

    #[test]
    fn unknown_names_stay_without_their_braces() {
        assert_eq!(expanded("$dc.${other}"), "$dc.$other");
        assert_eq!(expanded("$1$$"), "$1$$");
    }

    #[test]
    fn a_dollar_without_a_name_stays() {
        assert_eq!(expanded("a$"), "a$");
        assert_eq!(expanded("$.a$/"), "$.a$/");
    }

    #[test]
    fn braces_without_a_name_vanish() {
        assert_eq!(expanded("a${}b"), "ab");
        assert_eq!(expanded("a${b"), "ab");
    }
}
