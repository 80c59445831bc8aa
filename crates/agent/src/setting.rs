//! Settings that are text: truth values and times, as the tools of the three write them, and why one is of no use.

use std::time::Duration;

use biplane_core::scalars;

/// Why a setting cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingError {
    /// What is wrong with it.
    pub message: String,
    /// What to try, if it is not how such settings look.
    pub hint: Option<String>,
}

impl SettingError {
    /// An error without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same, with advice.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A truth value as Go reads it.
pub fn truth(name: &str, text: &str) -> Result<bool, SettingError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(SettingError::new(format!("{name} is neither true nor false"))),
    }
}

/// A span of time longer than none: `30s`, or seconds without a unit.
pub fn duration(name: &str, text: &str) -> Result<Duration, SettingError> {
    let wrong = |why: String| SettingError::new(format!("{name}: {why}")).hint("such as 30s");
    let duration = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => text.parse::<scalars::Duration>().map_err(|error| wrong(error.to_string()))?.0,
    };
    if duration.is_zero() { Err(wrong("it is zero".to_owned())) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_what_go_takes_for_it_and_nothing_else() {
        assert!(["1", "t", "True"].into_iter().all(|text| truth("x", text) == Ok(true)));
        assert!(["0", "F", "false"].into_iter().all(|text| truth("x", text) == Ok(false)));
        for text in ["", "yes", "tRUE", " 1"] {
            let error = truth("NOMAD_SKIP_VERIFY", text).expect_err(text);
            assert_eq!(error.message, "NOMAD_SKIP_VERIFY is neither true nor false");
        }
    }

    #[test]
    fn times_have_a_unit_or_are_seconds_and_are_longer_than_none() {
        assert_eq!(duration("x", "90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("x", "1m30s"), Ok(Duration::from_secs(90)));
        for text in ["", "0", "0s", "-1s", "soon"] {
            let error = duration("timeout", text).expect_err(text);
            assert!(error.message.starts_with("timeout: "), "{error}");
            assert_eq!(error.hint.as_deref(), Some("such as 30s"));
        }
    }
}
