//! What may be shown of a URL: everything but who asks, since a password often stands there.
//!
//! Backends refuse such URLs, but the refusal and `config show` must not print what was written either.

use std::borrow::Cow;

/// What stands in place of a user and a password.
const HIDDEN: &str = "[redacted]";

/// The text without what stands before an `@` in the part of a URL that names hosts.
pub(crate) fn hidden(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return text.into() };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}{}", &rest[at..]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_password_do_not_show_and_the_rest_does() {
        for (url, shown) in [
            (
                "etcd://root:hunter2@a:2379,b:2379/biplane?caFile=x",
                "etcd://[redacted]@a:2379,b:2379/biplane?caFile=x",
            ),
            ("etcd://u:p@a,u:p@b/biplane", "etcd://[redacted]@b/biplane"),
            ("http://user:p/ss@host", "http://[redacted]@host"),
            ("consul://127.0.0.1:8500/biplane", "consul://127.0.0.1:8500/biplane"),
            ("file:///etc/biplane?writable=a@b", "file:///etc/biplane?writable=a@b"),
            ("./a@b", "./a@b"),
        ] {
            assert_eq!(hidden(url), shown);
        }
    }
}
