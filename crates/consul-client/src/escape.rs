//! Percent-encoding of paths and query strings.

use std::fmt::Write as _;

use crate::error::Error;

/// A key as the rest of a path: slashes part it, everything else that is not plain is encoded.
///
/// Segments `.` and `..` are refused: URL parsers resolve them, encoded or not, and would reach another key.
pub(crate) fn key_path(key: &str) -> Result<String, Error> {
    if key.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(Error::invalid(format!("the key {key:?} has a segment that means a folder")));
    }
    Ok(escape(key, true))
}

/// One segment of a path, or a value of a query string.
pub(crate) fn component(text: &str) -> String {
    escape(text, false)
}

fn escape(text: &str, slashes: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            b'/' if slashes => escaped.push('/'),
            other => write!(escaped, "%{other:02X}").expect("a string takes everything"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_slashes_and_nothing_else_that_has_a_meaning() {
        assert_eq!(key_path("a b?c#d/é%").expect("plain"), "a%20b%3Fc%23d/%C3%A9%25");
        assert_eq!(component("a/b&c"), "a%2Fb%26c");
    }

    #[test]
    fn a_key_that_a_url_parser_would_resolve_is_refused() {
        assert!(key_path("a/../b").is_err());
        assert!(key_path("a/./b").is_err());
        assert!(key_path("a/..b/c.").is_ok());
    }
}
