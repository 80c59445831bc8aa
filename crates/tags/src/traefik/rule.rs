//! The text of Traefik's rules (v3) to [`Rule`]s.

use crate::router::Rule;

/// The text is not a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", .position + 1)]
pub struct RuleError {
    /// Where, in characters from 0.
    pub position: usize,
    /// Why.
    pub message: String,
}

/// Reads a rule.
pub fn parse(_text: &str) -> Result<Rule, RuleError> {
    Err(RuleError { position: 0, message: "rules are not read yet".to_owned() })
}
