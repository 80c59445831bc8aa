//! How characters are spelled in paths and queries on the wire, where rules have them decoded.

use regex_syntax::hir::{Class, ClassUnicode, Hir};

use super::pattern::{self, Times};

/// RFC 3986's unreserved characters: Envoy's normalization leaves them as they are and decodes them.
pub(super) const fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~')
}

/// RFC 3986's reserved characters: encoded, they mean something else than raw.
pub(crate) fn is_reserved(c: char) -> bool {
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

/// The byte that `%2F` at the start of a text stands for.
pub(crate) fn escape_at(text: &str) -> Option<u8> {
    let digits = text.get(..3)?.strip_prefix('%')?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// A hexadecimal digit in either case, or the character.
pub(super) fn either_case(c: char) -> Hir {
    pattern::one_of([c.to_ascii_lowercase(), c.to_ascii_uppercase()])
}

/// Whether a class has a character.
pub(super) fn holds(class: &ClassUnicode, c: char) -> bool {
    class.ranges().iter().any(|range| range.start() <= c && c <= range.end())
}

/// `raw`, and an encoded blank where `class` has a blank and `raw` in a row would not match its encoding.
pub(super) fn with_blank(class: &ClassUnicode, raw: &ClassUnicode, times: Times) -> Hir {
    let whole = Hir::class(Class::Unicode(raw.clone()));
    if !holds(class, ' ') || (holds(raw, '%') && times == Times::Many) {
        return whole;
    }
    Hir::alternation(vec![whole, encoded(' ')])
}
