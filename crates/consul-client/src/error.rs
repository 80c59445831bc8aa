//! What can go wrong with a call, as far apart as a caller can act on it.

use std::time::Duration;

/// How long to stay away when a server is too busy and does not say for how long.
const RATE_LIMIT_PAUSE: Duration = Duration::from_secs(1);

/// As much of a server's words as an error repeats.
const WORDS_MAX: usize = 300;

/// Why a call has no answer. No variant ever means "not found" or "empty".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings, or what was asked, cannot be.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
    },
    /// No connection, or it broke.
    #[error("{address} cannot be reached: {message}")]
    Unreachable {
        /// Whom we asked.
        address: String,
        /// Why.
        message: String,
    },
    /// No answer in time.
    #[error("{address} has not answered within {waited:?}")]
    TimedOut {
        /// Whom we asked.
        address: String,
        /// For how long.
        waited: Duration,
    },
    /// The cluster has no leader at the moment.
    #[error("{address} knows no leader")]
    NoLeader {
        /// Whom we asked.
        address: String,
    },
    /// The server has too much to do for us.
    #[error("{address} limits the rate of requests ({message})")]
    RateLimited {
        /// Whom we asked.
        address: String,
        /// The server's words.
        message: String,
        /// How long to stay away.
        retry_after: Duration,
    },
    /// The token has no right to this, or is none (401, 403).
    #[error("{message}")]
    Denied {
        /// The server's words.
        message: String,
    },
    /// The request is larger than the server takes (413), or its answer larger than we do.
    #[error("{message}")]
    TooLarge {
        /// The server's words, or ours.
        message: String,
    },
    /// Any other status that is no answer.
    #[error("{address} answered {status}: {message}")]
    Refused {
        /// Whom we asked.
        address: String,
        /// The status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("{address} answered something else than Consul does: {message}")]
    Malformed {
        /// Whom we asked.
        address: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into() }
    }

    /// From a status that is no answer, the body's text and the `Retry-After` header.
    pub(crate) fn refused(address: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let message = words(body);
        let address = address.to_owned();
        let lower = message.to_ascii_lowercase();
        if status == 429 || (status >= 500 && lower.contains("rate limit")) {
            let retry_after = retry_after.unwrap_or(RATE_LIMIT_PAUSE);
            return Self::RateLimited { address, message, retry_after };
        }
        match status {
            401 | 403 => Self::Denied { message },
            413 => Self::TooLarge { message },
            _ if lower.contains("no cluster leader") => Self::NoLeader { address },
            // Agents pass a refusal on as a failure of their own.
            _ if lower.contains("permission denied") || lower.contains("acl not found") => {
                Self::Denied { message }
            }
            _ => Self::Refused { address, status, message },
        }
    }
}

/// The start of what a server said, on one line.
pub(crate) fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(WORDS_MAX)]);
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean: String = plain.chars().filter(|c| !c.is_control()).collect();
    if clean.is_empty() { "without a word".to_owned() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Error {
        Error::refused("here", status, body.as_bytes(), None)
    }

    #[test]
    fn refusals_are_told_apart_by_status_and_words() {
        assert!(matches!(refused(403, "Permission denied"), Error::Denied { .. }));
        assert!(matches!(refused(500, "rpc error: Permission denied"), Error::Denied { .. }));
        assert!(matches!(refused(500, "No cluster leader"), Error::NoLeader { .. }));
        assert!(matches!(refused(413, "too large"), Error::TooLarge { .. }));
        assert!(matches!(refused(400, "bad"), Error::Refused { status: 400, .. }));
    }

    #[test]
    fn a_rate_limit_is_known_by_its_words_and_has_a_pause() {
        for (status, body) in [(429, ""), (503, "rate limit exceeded"), (500, "RPC rate limit exceeded")] {
            let error = refused(status, body);
            assert!(matches!(error, Error::RateLimited { retry_after, .. } if !retry_after.is_zero()));
        }
        let told = Error::refused("here", 429, b"", Some(Duration::from_secs(7)));
        assert!(matches!(told, Error::RateLimited { retry_after, .. } if retry_after.as_secs() == 7));
    }

    #[test]
    fn what_a_server_says_is_repeated_on_one_line_and_not_at_length() {
        assert_eq!(words(b"a\nb\x1b[1m  c"), "a b[1m c");
        assert!(words(&[b'x'; 10_000]).len() <= WORDS_MAX);
        assert_eq!(words(b""), "without a word");
    }
}
