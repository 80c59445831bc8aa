//! What went wrong with a question, told apart as far as people do different things about it.
//!
//! Invariant: a server's words are repeated on one line, shortened, and only if the token is not in them.

use std::time::Duration;

use biplane_agent::root_cause;
use biplane_core::scalars::SecretString;
use biplane_source::{Cause, SourceError};

use super::Call;
use super::answer::Answer;

/// How long to stay away when a server is too busy and does not say for how long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest that a server is believed it: a day by a slip of somebody's proxy must not stop everything for a day.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// As much of a server's words as is repeated.
const WORDS_MAX: usize = 200;

/// A question without an answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) error: SourceError,
}

/// What code does different things about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 401, 403: the token is dead, or has not the right.
    Denied,
    /// 404.
    Missing,
    /// 429: come back after this.
    RateLimited(Duration),
    /// The agent, or the servers behind it, cannot serve now.
    Down,
    /// This question makes no sense to it, or its answer none to us.
    Invalid,
    /// The servers answer, and are not believed.
    Suspect,
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    fn new(kind: Kind, call: &Call, address: &str, why: &str) -> Self {
        Self::of(kind, format!("cannot {} at {address}: {why}", call.what.escape_debug()))
    }

    /// A failure of this kind.
    pub(crate) fn of(kind: Kind, message: impl Into<String>) -> Self {
        let cause = match kind {
            Kind::Denied => Cause::Denied,
            Kind::Missing | Kind::Invalid => Cause::Invalid,
            Kind::RateLimited(_) | Kind::Down => Cause::Unavailable,
            Kind::Suspect => Cause::Suspect,
        };
        Self { kind, error: SourceError { cause, ..SourceError::new(message) } }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error = self.error.hint(hint);
        self
    }

    /// An answer that is not what the API promises.
    pub(crate) fn malformed(call: &Call, address: &str) -> Self {
        Self::new(Kind::Invalid, call, address, "it answered something else than Nomad does")
            .hint("what listens there? A proxy's page is no answer")
    }

    pub(super) fn without_leader(call: &Call, address: &str) -> Self {
        Self::new(Kind::Down, call, address, "the servers have no leader").hint(SERVERS)
    }

    pub(super) fn stale(call: &Call, address: &str, age: Duration) -> Self {
        let why = format!("the server that answered has not heard from the leader for {age:?}");
        Self::new(Kind::Down, call, address, &why).hint(SERVERS)
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
        Self::new(Kind::RateLimited(pause), call, address, &why).hint(LIMITS)
    }

    pub(super) fn too_large(call: &Call, address: &str) -> Self {
        Self::new(Kind::Invalid, call, address, "the answer is larger than is read")
            .hint("shorter lists of old allocations: job_gc_threshold and `nomad system gc`")
    }

    /// A stream that has ended, or says nothing.
    pub(super) fn broken(call: &Call, address: &str, why: &str) -> Self {
        Self::new(Kind::Down, call, address, why)
    }

    pub(super) fn unfit_token(call: &Call) -> Self {
        Self::new(Kind::Denied, call, "any agent", "the token has characters that no token has")
            .hint("the file holds the token alone, on one line")
    }

    pub(super) fn unreachable(call: &Call, address: &str, error: &reqwest::Error) -> Self {
        let reason = root_cause(error);
        let says = |text: &str| reason.to_lowercase().contains(text);
        let is_tls =
            ["certificate", "unknownissuer", "tls", "handshake", "invalidcontenttype"].into_iter().any(says);
        let hint = if is_tls {
            "caFile=FILE or NOMAD_CACERT names the authority of its certificate, tlsServerName=server.REGION.nomad the \
             name in it; nomad:// is for an agent without TLS"
                .to_owned()
        } else {
            format!("whether {address} is the address of an agent that is up")
        };
        Self::new(Kind::Down, call, address, &reason).hint(hint)
    }

    /// From a status that is no answer.
    pub(super) fn refused(call: &Call, address: &str, answer: &Answer, token: Option<&SecretString>) -> Self {
        let said = words(answer, token);
        let new = |kind, why: &str| Self::new(kind, call, address, &with(why, &said));
        match answer.status {
            401 | 403 => denied(call, address, &said),
            404 => new(Kind::Missing, "it is not there"),
            429 => {
                let pause = answer.retry_after.unwrap_or(PAUSE).clamp(Duration::from_millis(100), PAUSE_MAX);
                new(Kind::RateLimited(pause), "it limits the rate of requests").hint(LIMITS)
            }
            400 if says(&said, "http request to an https server") => {
                Self::new(Kind::Invalid, call, address, "it speaks TLS only")
                    .hint("nomads:// in place of nomad://")
            }
            // A region that cannot be reached is told as an error of the server.
            500 if says(&said, "no path to region") => {
                new(Kind::Invalid, "its servers know no such region, or none of its servers is up")
                    .hint("`nomad server members` shows the regions; region= in the URL or in the upstream")
            }
            500 if says(&said, "no cluster leader") => {
                Self::new(Kind::Down, call, address, "the servers have no leader").hint(SERVERS)
            }
            300..=399 => new(Kind::Invalid, "it sends the request elsewhere, where the token must not go")
                .hint("the address of an agent itself"),
            400..=499 => new(Kind::Invalid, &format!("it answered {}", answer.status)),
            status => new(Kind::Down, &format!("it answered {status}")).hint("the log of the agent"),
        }
    }
}

const SERVERS: &str = "`nomad server members`: most of the servers must be up";
const LIMITS: &str = "maxRequests= in the URL is how many requests are under way at a time";

fn denied(call: &Call, address: &str, said: &str) -> Failure {
    if says(said, "token not found") || says(said, "expired") {
        return Failure::new(Kind::Denied, call, address, "the token is not known, or no longer")
            .hint("tokenFile=FILE in the URL, NOMAD_TOKEN, or auth=identity inside a task");
    }
    let failure = Failure::new(Kind::Denied, call, address, "permission denied");
    if call.right.is_empty() {
        failure
    } else {
        failure.hint(format!("the token must be valid, and its policy needs: {}", call.right))
    }
}

fn with(why: &str, said: &str) -> String {
    if said.is_empty() { why.to_owned() } else { format!("{why} ({said})") }
}

fn says(said: &str, text: &str) -> bool {
    said.to_ascii_lowercase().contains(text)
}

/// The start of what the server said, on one line, unless it repeats the token.
fn words(answer: &Answer, token: Option<&SecretString>) -> String {
    let said = String::from_utf8_lossy(&answer.body);
    // In all of it: the cut may go through the middle of a secret.
    if token.is_some_and(|token| !token.is_empty() && said.contains(token.expose())) {
        return String::new();
    }
    let words = said.split_whitespace().flat_map(|word| [" ", word]).skip(1).flat_map(str::chars);
    words.filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn refused(status: u16, body: &str, retry_after: Option<u64>) -> Failure {
        let call = Call::get("list the services of namespace team", &["v1", "services"])
            .needs(r#"namespace "team" { capabilities = ["read-job"] }"#);
        let body = Bytes::copy_from_slice(body.as_bytes());
        let retry_after = retry_after.map(Duration::from_secs);
        let answer = Answer { status, meta: None, next: None, retry_after, body };
        Failure::refused(&call, "http://h:4646", &answer, Some(&SecretString::new("hunter2")))
    }

    #[test]
    fn refusals_are_told_apart_and_each_has_a_hint() {
        for (status, body, kind, words, hint) in [
            (403, "Permission denied", Kind::Denied, "permission denied", r#"["read-job"]"#),
            (403, "ACL token not found", Kind::Denied, "not known", "tokenFile"),
            (403, "ACL token expired", Kind::Denied, "no longer", "tokenFile"),
            (500, "No cluster leader", Kind::Down, "no leader", "server members"),
            (500, "No path to region", Kind::Invalid, "no such region", "region="),
            (500, "boom", Kind::Down, "it answered 500 (boom)", "log"),
            (502, "<html>", Kind::Down, "it answered 502", "log"),
            (429, "slow down", Kind::RateLimited(PAUSE), "limits the rate", "maxRequests"),
            (400, "Client sent an HTTP request to an HTTPS server.", Kind::Invalid, "TLS only", "nomads://"),
            (302, "", Kind::Invalid, "elsewhere", "agent itself"),
        ] {
            let failure = refused(status, body, None);
            assert_eq!(failure.kind, kind, "{status} {body}");
            assert!(failure.error.message.contains(words), "{}", failure.error);
            assert!(failure.error.hint.is_some_and(|told| told.contains(hint)), "{status} {body}");
        }
    }

    #[test]
    fn a_server_is_believed_for_how_long_it_wants_to_be_left_alone_within_limits() {
        assert_eq!(refused(429, "", Some(7)).kind, Kind::RateLimited(Duration::from_secs(7)));
        assert_eq!(refused(429, "", Some(u64::MAX)).kind, Kind::RateLimited(PAUSE_MAX));
    }

    #[test]
    fn words_that_repeat_the_token_are_not_repeated() {
        let long = format!("{}hunter2", "-".repeat(WORDS_MAX - 3));
        for body in ["bad token hunter2", &long] {
            let told = format!("{:?}", refused(400, body, None));
            assert!(!told.contains("hunter") && !told.contains("---"), "{told}");
        }
        assert!(refused(400, "no\u{1b}[1m such\n thing", None).error.message.ends_with("(no[1m such thing)"));
    }
}
