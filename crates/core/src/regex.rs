//! Whether Envoy's regex engine, RE2, accepts a pattern.
//!
//! A pattern that RE2 refuses makes Envoy refuse the whole route table or listener that holds it, so it
//! must be stopped here. The check reads RE2's own grammar (Perl syntax, UTF-8, as Envoy sets it
//! up); it neither compiles nor runs the pattern.

mod class;
mod escape;
mod parser;
mod unicode;

/// The longest pattern that is read, in bytes.
pub const MAX_PATTERN: usize = 10 * 1024;

/// RE2 refuses the pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", .position + 1)]
pub struct RegexError {
    /// Where, in characters from 0.
    pub position: usize,
    /// Why.
    pub message: String,
}

/// Checks that RE2 accepts `pattern`.
pub fn check(pattern: &str) -> Result<(), RegexError> {
    groups(pattern).map(|_| ())
}

/// The number of capturing groups of `pattern`; an error where RE2 refuses it.
pub fn groups(pattern: &str) -> Result<usize, RegexError> {
    if pattern.is_empty() {
        return Err(RegexError { position: 0, message: "the pattern is empty".to_owned() });
    }
    if pattern.len() > MAX_PATTERN {
        let message =
            format!("the pattern has {} bytes, more than the {MAX_PATTERN} that are read", pattern.len());
        return Err(RegexError { position: 0, message });
    }
    parser::parse(pattern)
}

/// Checks a replacement for what a pattern with `groups` groups matches: `\1` to `\9` are groups, `\0`
/// the whole match, `\\` a backslash.
pub fn check_substitution(substitution: &str, groups: usize) -> Result<(), RegexError> {
    let mut chars = substitution.chars().enumerate();
    while let Some((position, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let fail = |message: String| Err(RegexError { position, message });
        match chars.next().map(|(_, c)| c) {
            Some('\\') => {}
            Some(c) if c.is_ascii_digit() => {
                let group = c as usize - '0' as usize;
                if group > groups {
                    return fail(format!(
                        "\\{group} names a group that the pattern does not have; it has {groups}"
                    ));
                }
            }
            _ => return fail("a backslash stands before a digit or another backslash only".to_owned()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was accepted by Envoy 1.40.
    const ACCEPTED: &[&str] = &[
        "/foo",
        "/a.*",
        "^/a|b$",
        "(a)(?:b)(?P<n>c)(?<m>d)",
        "(?i)x",
        "(?i-s:x)",
        "(?-U)a",
        "a??b*?c+?d{2,3}?",
        "a{,2}",
        "a{",
        "a{x}",
        "{",
        "a{01}",
        "]",
        "}",
        "[]a]",
        "[^]a]",
        "[a-]",
        "[-a]",
        "[a-c-e]",
        "[a&&b]",
        "[a[b]",
        "[\\d-z]",
        "[[:alpha:]_]",
        "[[:^space:]]",
        "[\\pL\\p{Greek}\\P{^Lu}]",
        "\\pN",
        "\\p{Any}",
        "\\C",
        "\\Q.*\\E.",
        "\\Qa",
        "\\A\\z\\b\\B",
        "\\d\\D\\s\\S\\w\\W",
        "\\x41\\x{ff}\\377",
        "\\012",
        "\\11",
        "\\_\\-\\/",
        "\\a\\f\\t\\n\\r\\v",
        "[\\n-\\x0d]",
        "(?:^)*",
        "^*",
        "\\b+",
        "a{1000}",
        "(a{10}){100}",
        "(a{1,}){1000}",
        "[a-z0-9-]{1,64}",
        "(|a)",
        "()",
        "(?:)",
        "é+",
        "[é-ü]",
        "(?P<n>a)(?P<n>b)",
        "[中-国]",
        "[ü-é]",
        "[z-é]",
        "[--]",
        "[+--]",
        "(?)",
        "(a{1000}b){0}",
        "\\<\\>",
        "\\08",
        "\\17",
        "\\Q",
        "x{1",
        "\\pL{1000}",
        "(?i)(?-i)a",
    ];

    /// Each was refused by Envoy 1.40: the pattern, the position, a part of the message.
    const REFUSED: &[(&str, usize, &str)] = &[
        ("", 0, "empty"),
        ("(?=a)", 0, "look-ahead"),
        ("a(?!b)", 1, "look-ahead"),
        ("(?<=a)b", 0, "look-behind"),
        ("(?<!a)b", 0, "look-behind"),
        ("(a)\\1", 3, "backreference"),
        ("(?P=n)", 2, "(?P"),
        ("(?x)a", 2, "flag x"),
        ("(?R)", 2, "(?R"),
        ("(?>a)", 2, "(?>"),
        ("(?#c)", 2, "(?#"),
        ("(?i", 0, "missing )"),
        ("(a", 0, "missing )"),
        ("a)", 1, "unexpected )"),
        ("[a", 0, "missing ]"),
        ("[]", 0, "missing ]"),
        ("[z-a]", 1, "backwards"),
        ("[[:foo:]]", 1, "[:foo:]"),
        ("*a", 0, "nothing to repeat"),
        ("(*a)", 1, "nothing to repeat"),
        ("a**", 2, "repeat a repetition"),
        ("a++", 2, "repeat a repetition"),
        ("a{2}{3}", 4, "repeat a repetition"),
        ("a{1001}", 1, "1000"),
        ("(a{100}){100}", 8, "1000"),
        ("a{3,2}", 1, "at least 3"),
        ("\\", 0, "at the end"),
        ("\\h", 0, "\\h"),
        ("\\K", 0, "\\K"),
        ("\\Z", 0, "\\Z"),
        ("\\G", 0, "\\G"),
        ("\\u0041", 0, "\\u"),
        ("\\u{41}", 0, "\\u"),
        ("\\U0001F600", 0, "\\U"),
        ("\\x4", 0, "hexadecimal"),
        ("\\p{Alphabetic}", 0, "Alphabetic"),
        ("\\p{script=Greek}", 0, "script=Greek"),
        ("\\p{greek}", 0, "greek"),
        ("\\pX", 0, "\"X\""),
        ("a|*?", 2, "nothing to repeat"),
        ("{1}", 0, "nothing to repeat"),
        ("(?i)*", 4, "nothing to repeat"),
        ("a{1000}{1}", 7, "repeat a repetition"),
        ("(?i-)a", 4, "group"),
        ("\\x{100}", 0, "0xff"),
        ("\\400", 0, "0xff"),
        ("[\\1]", 1, "backreference"),
        ("[é-a]", 1, "backwards"),
        ("[a-\\d]", 1, "end in a class"),
        ("\\E", 0, "\\E"),
        ("(?P<é>a)", 0, "name"),
        ("(?P<a b>c)", 0, "name"),
        ("(?P<n", 0, "name"),
        ("[\\b]", 1, "\\b"),
        (
            "(?:\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL\\pL){1000}",
            0,
            "too large",
        ),
    ];

    #[test]
    fn regex_accepts_what_re2_accepts() {
        for pattern in ACCEPTED {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn regex_refuses_what_re2_refuses_and_says_where() {
        for (pattern, position, part) in REFUSED {
            let error = check(pattern).expect_err(pattern);
            assert!(error.position == *position && error.message.contains(part), "{pattern}: {error}");
        }
    }

    /// RE2 would take the operators for characters, which nobody means who writes them.
    #[test]
    fn regex_refuses_class_operations() {
        for pattern in ["[a-z&&[^aeiou]]", "[a-z--[b]]", "[a~~[b]]"] {
            assert!(check(pattern).unwrap_err().message.contains("class operation"), "{pattern}");
        }
    }

    #[test]
    fn position_counts_characters_not_bytes() {
        assert_eq!(check("é(").unwrap_err().to_string(), "missing ) (at character 2)");
    }

    #[test]
    fn substitution_names_groups_that_are_there() {
        assert_eq!(check_substitution(r"/\1-\0\\", 1), Ok(()));
        assert!(check_substitution(r"\2", 1).unwrap_err().message.contains("it has 1"));
        assert!(check_substitution(r"\x", 1).is_err());
        assert!(check_substitution("a\\", 1).is_err());
    }
}
