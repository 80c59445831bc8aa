//! Paths as they travel. fabio compares and builds paths without their percent-encoding; Envoy sees them with it.

/// `path` with everything encoded that does not stand in a path as it is.
pub(super) fn encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/[]".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// `path` in a rule, which has reserved characters and `%` encoded where they are meant as such.
pub(super) fn in_rule(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

/// Whether `path` travels as it is, and a rule's prefix becomes one of Envoy's.
pub(super) fn is_plain(path: &str) -> bool {
    encoded(path) == path
}

/// `path` with a `/` in front.
pub(super) fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// `text` as a regex that matches just it.
pub(super) fn literal(text: &str) -> String {
    regex_syntax::escape(text)
}

/// `text` in a substitution, where a backslash has a meaning.
pub(super) fn substitution(text: &str) -> String {
    text.replace('\\', "\\\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_path_is_encoded() {
        assert_eq!(encoded("/a-b.c_d~e/(f)"), "/a-b.c_d~e/(f)");
        assert_eq!(encoded("/a\"b?c#d%20é"), "/a%22b%3Fc%23d%2520%C3%A9");
        assert!(is_plain("/a-b") && !is_plain("/é"));
    }

    #[test]
    fn what_means_something_in_a_rule_is_encoded() {
        assert_eq!(in_rule("/a\"b?c#d%20é"), "/a\"b%3Fc%23d%2520é");
    }
}
