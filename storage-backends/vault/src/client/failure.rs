//! What went wrong with a question, told apart as far as people do different things about it.
//!
//! Invariant: a server's words are repeated on one line, shortened, and only if nothing secret that we sent is in them.

use std::time::Duration;

use biplane_agent::root_cause;
use biplane_core::scalars::SecretString;
use biplane_source::{Cause, SourceError};

use super::answer::{Answer, Json};
use super::call::Call;
use crate::options::Address;

/// How long to stay away when a server is too busy and does not say for how long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest that a server is believed it: a day by a slip of somebody's proxy must not stop everything for a day.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// As much of a server's words as is repeated.
const WORDS_MAX: usize = 300;

/// As much of a page that is no answer of Vault's.
const PAGE_MAX: usize = 80;

/// A question without an answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) error: SourceError,
}

/// What code does different things about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 403: the token is dead, or has not the right.
    Forbidden,
    /// 429 of a quota: come back after this.
    RateLimited(Duration),
    /// The server as a whole cannot serve now.
    Down,
    /// This question makes no sense to it.
    Invalid,
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    fn new(kind: Kind, call: &Call, address: &str, why: &str) -> Self {
        let cause = match kind {
            Kind::Forbidden => Cause::Denied,
            Kind::Invalid => Cause::Invalid,
            Kind::RateLimited(_) | Kind::Down => Cause::Unavailable,
        };
        let message = format!("cannot {} at {address}: {why}", call.what.escape_debug());
        Self { kind, error: SourceError { cause, ..SourceError::new(message) } }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error = self.error.hint(hint);
        self
    }

    /// An answer that is not what the API promises.
    pub(crate) fn malformed(call: &Call, address: &str) -> Self {
        Self::new(Kind::Invalid, call, address, "it answered something else than Vault does")
            .hint("what listens there? A proxy's page is no answer")
    }

    /// A path that is not there, though something should be.
    pub(crate) fn missing(call: &Call, address: &str) -> Self {
        Self::new(Kind::Invalid, call, address, "there is no such path")
            .hint("whether an engine of this kind is mounted there: bao secrets list")
    }

    pub(super) fn too_slow(call: &Call, address: &str, waited: Duration) -> Self {
        Self::new(Kind::Down, call, address, &format!("no answer within {waited:?}"))
            .hint(format!("whether {address} is up and reachable; timeout= in the URL if it is slow"))
    }

    pub(super) fn held_back(call: &Call, address: &str, pause: Duration) -> Self {
        let why = format!(
            "it limits the rate of requests, and wants none for {} more seconds",
            pause.as_secs() + 1
        );
        Self::new(Kind::RateLimited(pause), call, address, &why).hint(QUOTA)
    }

    pub(super) fn too_large(call: &Call, address: &str) -> Self {
        Self::new(Kind::Invalid, call, address, "the answer is larger than any secret should be")
    }

    pub(super) fn goes_round(call: &Call, address: &str) -> Self {
        Self::new(Kind::Down, call, address, "servers send the request round and round")
            .hint("api_addr of each server is its own address")
    }

    pub(super) fn unfit_token(call: &Call) -> Self {
        Self::new(Kind::Forbidden, call, "any server", "the token has characters that no token has")
            .hint("the file holds the token alone, on one line")
    }

    pub(super) fn unreachable(call: &Call, address: &Address, error: &reqwest::Error) -> Self {
        let reason = root_cause(error);
        let says = |text: &str| reason.to_lowercase().contains(text);
        let is_tls =
            ["certificate", "unknownissuer", "tls", "handshake", "invalidcontenttype"].into_iter().any(says);
        let hint = if is_tls {
            "caFile=FILE or BAO_CACERT names the authority of its certificate, vault:// is for a server without TLS"
                .to_owned()
        } else {
            format!("whether {address} is the address of a server that is up")
        };
        Self::new(Kind::Down, call, &address.to_string(), &reason).hint(hint)
    }

    /// From a status that is no answer.
    pub(super) fn refused(
        call: &Call,
        address: &Address,
        answer: &Answer,
        token: Option<&SecretString>,
    ) -> Self {
        let said = words(call, answer, token);
        let place = address.to_string();
        let new = |kind, why: &str| Self::new(kind, call, &place, &with(why, &said));
        match answer.status {
            403 => forbidden(call, &place),
            429 if answer.retry_after.is_some() || says(&said, "quota") || says(&said, "rate limit") => {
                let pause = answer.retry_after.unwrap_or(PAUSE).clamp(Duration::from_millis(100), PAUSE_MAX);
                new(Kind::RateLimited(pause), "it limits the rate of requests").hint(QUOTA)
            }
            429 => new(Kind::Down, "it is a standby and passes nothing on").hint(ACTIVE),
            472 => new(Kind::Down, "it is a disaster-recovery secondary, which serves nobody").hint(ACTIVE),
            473 => new(Kind::Down, "it is a performance standby that cannot serve this").hint(ACTIVE),
            412 => new(Kind::Down, "it is a replica that is behind")
                .hint("it catches up by itself, and is asked again"),
            501 => new(Kind::Down, "it is not initialised").hint("bao operator init, or vault operator init"),
            503 if says(&said, "sealed") => {
                new(Kind::Down, "it is sealed").hint("bao operator unseal, or vault operator unseal")
            }
            400 if says(&said, "to versioned data") => {
                new(Kind::Down, "its engine is getting ready").hint("it takes a moment, and is asked again")
            }
            400 if says(&said, "http request to an https server") => {
                Self::new(Kind::Invalid, call, &place, "it speaks TLS only")
                    .hint("vaults:// in place of vault://")
            }
            300..=399 => new(Kind::Invalid, "it sends the request elsewhere, where the token must not go")
                .hint("the address of the active server itself"),
            400..=499 => new(Kind::Invalid, &format!("it answered {}", answer.status)),
            status => new(Kind::Down, &format!("it answered {status}")).hint("the log of the server"),
        }
    }
}

const QUOTA: &str = "a quota (sys/quotas/rate-limit) is lower than what we need, or a longer refresh=";
const ACTIVE: &str = "the address of the active server, or of what stands in front of all of them";

fn forbidden(call: &Call, address: &str) -> Failure {
    let failure = Failure::new(Kind::Forbidden, call, address, "permission denied");
    match &call.right {
        Some(right) => failure.hint(format!("the token's policy needs: {}", right.policy())),
        None => failure.hint("the credentials, and the role that they are for"),
    }
}

fn with(why: &str, said: &str) -> String {
    if said.is_empty() { why.to_owned() } else { format!("{why} ({said})") }
}

fn says(said: &str, text: &str) -> bool {
    said.to_ascii_lowercase().contains(text)
}

/// The start of what the server said, on one line, unless it repeats something secret.
fn words(call: &Call, answer: &Answer, token: Option<&SecretString>) -> String {
    let (said, most) = match answer.envelope::<Json>() {
        Some(envelope) => (envelope.errors.unwrap_or_default().join("; "), WORDS_MAX),
        // A page of something else; its start may tell what it is.
        None => (String::from_utf8_lossy(&answer.body).into_owned(), PAGE_MAX),
    };
    // In all of it: the cut may go through the middle of a secret.
    let is_told = |secret: &SecretString| !secret.is_empty() && said.contains(secret.expose());
    let words = said.split_whitespace().flat_map(|word| [" ", word]).skip(1).flat_map(str::chars);
    let clean: String = words.filter(|c| !c.is_control()).take(most).collect();
    if token.into_iter().chain(&call.secrets).any(is_told) { String::new() } else { clean }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use zeroize::Zeroizing;

    use super::*;

    fn call() -> Call {
        Call {
            what: "read secret/data/web".into(),
            right: None,
            secrets: vec![SecretString::new("hunter2")],
            method: Method::GET,
            url: "http://h".parse().expect("a URL"),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
        }
        .needs("read", "secret/data/web")
    }

    fn refused(status: u16, body: &str, retry_after: Option<u64>) -> Failure {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let answer = Answer { status, retry_after: retry_after.map(Duration::from_secs), body };
        let address = Address::new("h", false).expect("an address");
        Failure::refused(&call(), &address, &answer, Some(&SecretString::new("s.token")))
    }

    #[test]
    fn states_of_a_server_are_told_apart() {
        for (status, body, words, hint) in [
            (429, "{}", "standby", "active server"),
            (472, "", "disaster-recovery", "active server"),
            (473, "", "performance standby", "active server"),
            (412, "{}", "behind", "catches up"),
            (501, "{}", "not initialised", "operator init"),
            (503, r#"{"errors":["Vault is sealed"]}"#, "it is sealed", "operator unseal"),
            (
                503,
                r#"{"errors":["error performing token check: Vault is sealed"]}"#,
                "it is sealed",
                "unseal",
            ),
            (503, "<html>maintenance</html>", "it answered 503 (<html>", "log of the server"),
            (500, r#"{"errors":["1 error occurred"]}"#, "it answered 500 (1 error", "log"),
        ] {
            let failure = refused(status, body, None);
            assert_eq!((failure.kind, failure.error.cause), (Kind::Down, Cause::Unavailable), "{status}");
            assert!(failure.error.message.contains(words), "{status}: {}", failure.error);
            assert!(failure.error.hint.is_some_and(|text| text.contains(hint)), "{status}");
        }
    }

    #[test]
    fn a_quota_is_told_from_a_standby_by_its_words_or_its_header() {
        let quota = r#"{"errors":["request path \"secret/\": rate limit quota exceeded"]}"#;
        assert_eq!(refused(429, quota, None).kind, Kind::RateLimited(PAUSE));
        assert_eq!(refused(429, "{}", Some(7)).kind, Kind::RateLimited(Duration::from_secs(7)));
        assert_eq!(refused(429, "{}", Some(u64::MAX)).kind, Kind::RateLimited(PAUSE_MAX));
    }

    #[test]
    fn a_missing_right_is_named_as_a_policy_has_it() {
        let error = refused(403, r#"{"errors":["permission denied"]}"#, None).error;
        assert_eq!(error.cause, Cause::Denied);
        assert_eq!(error.message, "cannot read secret/data/web at http://h:8200: permission denied");
        let hint = error.hint.expect("a hint");
        assert!(hint.ends_with(r#"path "secret/data/web" { capabilities = ["read"] }"#), "{hint}");
    }

    #[test]
    fn words_that_repeat_a_secret_are_not_repeated() {
        let cut = format!("{}hunter2", "-".repeat(PAGE_MAX - 3));
        for body in
            [r#"{"errors":["bad s.token"]}"#, r#"{"errors":["bad hunter2"]}"#, "you said hunter2", &cut]
        {
            assert_eq!(
                refused(400, body, None).error.message,
                "cannot read secret/data/web at http://h:8200: it answered 400"
            );
        }
        let told = refused(400, "{\"errors\":[\"no\\u001b[1m such\\n thing\"]}", None).error.message;
        assert!(told.ends_with("it answered 400 (no[1m such thing)"), "{told}");
    }
}
