//! What a scalar can be read as. The field decides, not the scalar: `5` is a number where a number
//! belongs, and protobuf's JSON form writes numbers as text as well.

use std::borrow::Cow;

/// A scalar as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar<'a> {
    /// The text, escapes resolved.
    pub text: Cow<'a, str>,
    /// Not quoted, so it may mean something else than text.
    pub plain: bool,
}

impl Scalar<'_> {
    /// Says that there is no value.
    pub(crate) fn is_null(&self) -> bool {
        self.plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// A truth value; YAML 1.1's words too, which Gloo's own parser reads.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        if !self.plain {
            return None;
        }
        match &*self.text {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }

    /// A whole number: `12`, `0x1f`, `0o17`, and `12.0` or `1e3`, which JSON writers produce.
    pub(crate) fn as_integer(&self) -> Option<i128> {
        let text = self.text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let value = match digits.get(..2) {
            Some("0x") => i128::from_str_radix(&digits[2..], 16).ok()?,
            Some("0o") => i128::from_str_radix(&digits[2..], 8).ok()?,
            _ if digits.starts_with(|c: char| c.is_ascii_digit()) => whole(digits)?,
            _ => return None,
        };
        Some(if negative { -value } else { value })
    }

    /// A number; protobuf's `NaN` and `Infinity` are refused by every field that takes one.
    pub(crate) fn as_float(&self) -> Option<f64> {
        let text = self.text.trim();
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// Whether YAML itself reads this as a number.
    pub(crate) fn is_number(&self) -> bool {
        self.plain && (self.as_integer().is_some() || self.as_float().is_some())
    }
}

fn whole(digits: &str) -> Option<i128> {
    if let Ok(value) = digits.parse() {
        return Some(value);
    }
    let value: f64 = digits.parse().ok()?;
    // 2^53: beyond it a float no longer tells neighbouring whole numbers apart.
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    (value.fract() == 0.0 && value < 9_007_199_254_740_992.0).then_some(value as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar<'_> {
        Scalar { text: text.into(), plain: true }
    }

    #[test]
    fn scalar_reads_as_the_integer_that_protobuf_reads() {
        for (text, value) in
            [("12", 12), ("-3", -3), ("0x1f", 31), ("0o17", 15), ("12.0", 12), ("1e3", 1_000)]
        {
            assert_eq!(plain(text).as_integer(), Some(value), "{text}");
        }
        for text in ["", "12.5", "twelve", "1_000", "0x", "--1", "1e999"] {
            assert_eq!(plain(text).as_integer(), None, "{text}");
        }
    }

    #[test]
    fn quoted_words_are_text() {
        let quoted = Scalar { text: "true".into(), plain: false };
        assert_eq!((quoted.as_bool(), quoted.is_null(), quoted.is_number()), (None, false, false));
        assert_eq!(plain("true").as_bool(), Some(true));
    }
}
