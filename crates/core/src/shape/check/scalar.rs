//! Scalars: numbers in their range, words of an enumeration, durations, times, text.

use std::borrow::Cow;

use super::{Checker, expected};
use crate::path::Trail;
use crate::scalars::{Duration, Timestamp};
use crate::shape::Shape;
use crate::suggest::nearest;
use crate::yaml::Scalar;

/// Words that are read as other words of the same message.
const WORD_ALIASES: [(&str, &str); 5] = [
    ("301", "MOVED_PERMANENTLY"),
    ("302", "FOUND"),
    ("303", "SEE_OTHER"),
    ("307", "TEMPORARY_REDIRECT"),
    ("308", "PERMANENT_REDIRECT"),
];

impl Checker<'_, '_> {
    pub(super) fn scalar(
        &mut self,
        scalar: &mut Scalar<'_>,
        shape: &Shape,
        trail: &Trail<'_>,
        line: u32,
    ) -> bool {
        match shape {
            Shape::Bool if scalar.as_bool().is_some() => true,
            Shape::Float if scalar.as_float().is_some() => true,
            Shape::Integer { min, max } if scalar.as_integer().is_some() => {
                let value = scalar.as_integer().unwrap_or_default();
                if value < *min || value > *max {
                    let message = format!("{value} is out of range: {min} to {max}");
                    self.findings.error(trail.path(), line, message);
                    return false;
                }
                true
            }
            Shape::Duration => self.parsed(scalar.text.parse::<Duration>(), scalar, trail, line),
            Shape::Timestamp => self.parsed(scalar.text.parse::<Timestamp>(), scalar, trail, line),
            Shape::Word(words) => self.word(scalar, words, trail, line),
            Shape::Text | Shape::Secret if is_text(scalar) => true,
            _ => {
                self.wrong_scalar(shape, scalar, trail, line);
                false
            }
        }
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        parsed: Result<T, E>,
        scalar: &Scalar<'_>,
        trail: &Trail<'_>,
        line: u32,
    ) -> bool {
        let Err(error) = parsed else { return true };
        let report = self.findings.error(trail.path(), line, error.to_string());
        if scalar.as_integer().is_some() {
            report.hint = Some(format!("write a unit: {}s", scalar.text));
        }
        false
    }

    fn word(&mut self, scalar: &mut Scalar<'_>, words: &[String], trail: &Trail<'_>, line: u32) -> bool {
        let alias = WORD_ALIASES
            .iter()
            .find(|(alias, word)| *alias == scalar.text && words.iter().any(|w| w == word));
        if let Some((_, word)) = alias {
            scalar.text = Cow::Borrowed(word);
            return true;
        }
        if words.iter().any(|word| *word == scalar.text) {
            return true;
        }
        let hint = match nearest(&scalar.text, words.iter().map(String::as_str)) {
            Some(word) => format!("did you mean {word:?}?"),
            None => format!("it is one of {}", words.join(", ")),
        };
        let report = self.findings.error(trail.path(), line, format!("unknown value {:?}", scalar.text));
        report.hint = Some(hint);
        false
    }

    fn wrong_scalar(&mut self, shape: &Shape, scalar: &Scalar<'_>, trail: &Trail<'_>, line: u32) {
        let message = format!("expected {}, found {}", expected(shape), found_scalar(scalar));
        let report = self.findings.error(trail.path(), line, message);
        report.hint = match shape {
            Shape::Secret => Some("put it in quotes".to_owned()),
            Shape::Text => Some(format!("put it in quotes: \"{}\"", scalar.text)),
            Shape::Bool if matches!(&*scalar.text, "true" | "false") => {
                Some("leave the quotes out".to_owned())
            }
            _ => None,
        };
    }
}

/// What a scalar is, as people say it.
pub(super) fn found_scalar(scalar: &Scalar<'_>) -> &'static str {
    if scalar.is_null() {
        "nothing"
    } else if scalar.is_number() {
        "a number"
    } else if scalar.plain && scalar.as_bool().is_some() {
        "a truth value"
    } else {
        "text"
    }
}

/// Whether a scalar reads as text. `yes` and `on` are text here, as in YAML 1.2.
fn is_text(scalar: &Scalar<'_>) -> bool {
    let truth = || matches!(&*scalar.text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE");
    !scalar.plain || !(scalar.is_null() || scalar.is_number() || truth())
}
