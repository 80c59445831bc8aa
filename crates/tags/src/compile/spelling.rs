//! How characters are spelled in paths and queries on the wire, where rules have them decoded.

use regex_syntax::hir::Hir;

use super::pattern;

/// RFC 3986's unreserved characters: Envoy's normalization leaves them as they are and decodes them.
pub(super) const fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~')
}

/// RFC 3986's reserved characters: encoded, they mean something else than raw.
pub(super) fn is_reserved(c: char) -> bool {
    ":/?#[]@!$&'()*+,;=".contains(c)
}

/// `%C3%A9`, the digits in either case.
pub(super) fn encoded(c: char) -> Hir {
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).bytes().map(|byte| {
        let text = format!("%{byte:02X}");
        Hir::concat(text.chars().map(either_case).collect())
    });
    Hir::concat(bytes.collect())
}

/// A hexadecimal digit in either case, or the character.
pub(super) fn either_case(c: char) -> Hir {
    pattern::one_of([c.to_ascii_lowercase(), c.to_ascii_uppercase()])
}
