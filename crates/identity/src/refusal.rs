//! Why a node is nobody. The texts go to logs; a node is told no more than the kind.

/// Why a node is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has shown neither a certificate nor a token.
    #[error("it has shown neither a certificate nor a token")]
    Nothing,
    /// What it has shown is genuine, and no rule is for it.
    #[error("no rule is for {who}")]
    NoRule {
        /// What it has shown.
        who: String,
    },
    /// Its certificate is not good any more.
    #[error("its certificate is not accepted: {0}")]
    Certificate(String),
    /// Its token is not what it should be.
    #[error("its token is not accepted: {0}")]
    Token(String),
    /// Its token is signed by a key that the issuer had not published when it was asked last.
    #[error("its token is signed by a key that {issuer} does not publish")]
    UnknownKey {
        /// The issuer, as the settings call it.
        issuer: String,
    },
    /// The issuer could not be asked for its keys yet.
    #[error("the keys of {issuer} could not be read yet")]
    KeysUnread {
        /// The issuer, as the settings call it.
        issuer: String,
    },
}

/// The longest name that a log line takes.
const LONGEST: usize = 200;

/// A name that somebody else made up, as a log may show it.
pub(crate) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
