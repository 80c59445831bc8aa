//! etcd's refusals in the words of [`StoreError`]: what failed, at which member, why, and what to try.
//!
//! Invariant: no message repeats a token, a password, or a value.

use std::error::Error as _;

use biplane_store::StoreError;
use etcd_client::Error;

/// What to try where no member answers.
pub(crate) const HEALTH: &str =
    "etcdctl endpoint health with the same endpoints and files says which member is up";

const ENCRYPT: &str = "etcds:// if etcd has TLS; ?caFile=FILE names its authority, ?certFile=FILE&keyFile=FILE what we show to it";

/// What was being done, for the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    /// As an infinitive: `list the store`.
    pub(crate) what: &'a str,
    /// The member's URL.
    pub(crate) member: &'a str,
    /// The store's root with a slash behind it.
    pub(crate) root: &'a str,
}

impl Attempt<'_> {
    /// The error in our words.
    pub(crate) fn explain(&self, error: &Error) -> StoreError {
        match error {
            Error::GRpcStatus(_) => self.refused(&reason(error)),
            Error::InvalidArgs(_) | Error::InvalidUri(_) => {
                StoreError::invalid(format!("cannot {}: {}", self.what, reason(error)))
            }
            Error::TransportError(_) => self.unreachable(&reason(error)),
            _ => StoreError::unavailable(self.failed(&reason(error))),
        }
    }

    /// What etcd says, or what the connection says in its place.
    pub(crate) fn refused(&self, reason: &str) -> StoreError {
        let says = |text: &str| reason.contains(text);
        if says("database space exceeded") {
            return StoreError::unavailable(self.failed("etcd is full and takes no writes (alarm NOSPACE)"))
                .with_hint("etcdctl compaction, etcdctl defrag, then etcdctl alarm disarm; or a larger --quota-backend-bytes");
        }
        if says("corrupt cluster") {
            return StoreError::unavailable(self.failed("etcd has found its data corrupt (alarm CORRUPT)"))
                .with_hint("replace the member that etcdctl alarm list names, then etcdctl alarm disarm");
        }
        if says("request is too large") {
            return StoreError::invalid(self.failed("the request is larger than etcd takes"))
                .with_hint("smaller objects, or a larger --max-request-bytes of etcd");
        }
        if says("too many operations") {
            return StoreError::invalid(self.failed("etcd takes fewer operations in one transaction"))
                .with_hint("?maxTxnOps=N in the store's URL, as etcd was started with --max-txn-ops");
        }
        if says("permission denied") {
            return StoreError::denied(self.failed("this user may not")).with_hint(self.grant());
        }
        if is_login(reason) {
            return StoreError::denied(self.failed(reason)).with_hint(
                "?user=NAME&passwordFile=FILE in the store's URL, or ETCDCTL_USER and ETCDCTL_PASSWORD",
            );
        }
        if says("connect error") || says("transport error") {
            return self.unreachable(reason);
        }
        StoreError::unavailable(self.failed(reason))
    }

    /// Nobody answered in time.
    pub(crate) fn too_slow(&self, deadline: std::time::Duration) -> StoreError {
        StoreError::unavailable(self.failed(&format!("no answer within {deadline:?}")))
    }

    fn unreachable(&self, reason: &str) -> StoreError {
        let says = |text: &str| reason.to_lowercase().contains(text);
        let is_tls = ["certificate", "unknownissuer", "tls"].into_iter().any(says);
        // What a server with TLS does to who speaks without.
        let is_plain = self.member.starts_with("http://") && says("connection closed");
        let hint = if is_tls || is_plain { ENCRYPT } else { HEALTH };
        StoreError::unavailable(self.failed(reason)).with_hint(hint)
    }

    fn grant(&self) -> String {
        format!("etcdctl role grant-permission ROLE readwrite --prefix=true {}", self.root)
    }

    fn failed(&self, why: &str) -> String {
        format!("cannot {} at {}: {why}", self.what, self.member)
    }
}

/// Whether what was asked for lies in a past that etcd has forgotten.
pub(crate) fn is_compacted(error: &Error) -> bool {
    reason(error).contains("revision has been compacted")
}

/// Whether what was asked for has not happened yet, or happened in another history.
pub(crate) fn is_future(error: &Error) -> bool {
    reason(error).contains("is a future revision")
}

/// Whether who asks has to say again who it is: a token's time is up, a role or a password has changed.
pub(crate) fn is_stale(error: &Error) -> bool {
    let Error::GRpcStatus(_) = error else { return false };
    is_login(&reason(error))
}

fn is_login(reason: &str) -> bool {
    const WORDS: [&str; 4] =
        ["invalid auth token", "auth store is old", "authentication failed", "user name is empty"];
    WORDS.iter().any(|word| reason.contains(word))
}

/// Whether etcd has no users at all, so that nobody needs to say who it is.
pub(crate) fn has_no_users(error: &Error) -> bool {
    reason(error).contains("authentication is not enabled")
}

/// The message and those behind it, without what repeats another and without metadata, which holds tokens.
fn reason(error: &Error) -> String {
    let (first, mut source) = match error {
        Error::GRpcStatus(status) => (status.message().to_owned(), status.source()),
        Error::TransportError(transport) => (transport.to_string(), transport.source()),
        other => (other.to_string(), None),
    };
    let mut words = first;
    while let Some(error) = source {
        let next = error.to_string();
        if !words.contains(&next) {
            words = format!("{words}: {next}");
        }
        source = error.source();
    }
    words.strip_prefix("etcdserver: ").map(str::to_owned).unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: Attempt<'_> = Attempt { what: "list the store", member: "http://h:2379", root: "r/" };

    #[test]
    fn a_missing_right_names_the_grant() {
        let error = ATTEMPT.refused("permission denied");
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.ends_with("readwrite --prefix=true r/")), "{error:?}");
    }

    #[test]
    fn a_full_etcd_names_the_alarm_and_how_to_end_it() {
        let error = ATTEMPT.refused("mvcc: database space exceeded");
        assert!(error.to_string().contains("NOSPACE"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("etcdctl alarm disarm")), "{error:?}");
    }

    #[test]
    fn what_cannot_be_told_apart_is_tried_again() {
        let error = ATTEMPT.refused("no leader");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert_eq!(error.to_string(), "cannot list the store at http://h:2379: no leader");
    }
}
