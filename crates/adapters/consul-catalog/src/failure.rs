//! What Consul's refusals mean for a source, and what to try.

use std::time::Duration;

use biplane_consul_client::{Error, QueryMeta};
use biplane_source::SourceError;

use crate::subject::{Subject, What};

/// The rights that reading a catalog takes.
const RIGHTS: &str = "the token's policy needs service_prefix \"\" with policy \"read\" and node_prefix \"\" with policy \"read\", or the same for the names that are looked up";

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: SourceError,
    /// Whether others in the datacenter would fare no better.
    pub(crate) is_general: bool,
}

impl Failure {
    /// It concerns one question only.
    pub(crate) const fn of_one(error: SourceError) -> Self {
        Self { error, is_general: false }
    }

    const fn of_all(error: SourceError) -> Self {
        Self { error, is_general: true }
    }

    /// From a call that has no answer.
    pub(crate) fn of_call(subject: &Subject, error: &Error) -> Self {
        let place = subject.datacenter().map_or_else(String::new, |name| format!("datacenter {name}: "));
        let unavailable = |hint: &str| SourceError::new(format!("{place}{error}")).hint(hint);
        match error {
            Error::Denied { message } if message.contains("ACL not found") => Self::of_all(
                SourceError::denied(format!("{place}Consul refuses: {message}")).hint(
                    "Consul does not know this token: it was deleted, has expired, or belongs to another cluster",
                ),
            ),
            Error::Denied { message } => {
                Self::of_one(SourceError::denied(format!("{subject}: Consul refuses: {message}")).hint(RIGHTS))
            }
            Error::RateLimited { .. } => Self::of_all(unavailable(
                "raise limits.request_limits of the servers, limits.http_max_conns_per_client of the agent, or lower maxWatches",
            )),
            Error::Unreachable { .. } => Self::of_all(unavailable(
                "is the agent running, and is this its address? (CONSUL_HTTP_ADDR, or the URL of the source)",
            )),
            Error::NoLeader { .. } => Self::of_all(unavailable(
                "a majority of the servers has to be up: consul operator raft list-peers",
            )),
            Error::Refused { message, .. } if message.contains("No path to datacenter") => {
                Self::of_all(unavailable("is it spelled so, and joined? (consul members -wan)"))
            }
            Error::TimedOut { .. } | Error::Refused { status: 500.., .. } | Error::Malformed { .. } => {
                Self::of_all(SourceError::new(format!("{place}{error}")))
            }
            Error::Invalid { .. } if matches!(subject.what, What::PreparedQuery(_)) => Self::of_one(
                SourceError::invalid(format!("{place}{error}"))
                    .hint("preparedQuery is a name or an id; consul's /v1/query lists those that the token may see"),
            ),
            _ => Self::of_one(SourceError::invalid(format!("{subject}: {error}"))),
        }
    }

    /// Some of what was asked for is hidden.
    pub(crate) fn filtered(subject: &Subject) -> Self {
        let message = format!("{subject}: Consul leaves out what the token may not see");
        Self::of_one(SourceError::denied(message).hint(RIGHTS))
    }

    /// Nobody vouches for the answer.
    pub(crate) fn no_leader(subject: &Subject) -> Self {
        let message = format!("{subject}: Consul has no leader who vouches for what it answers");
        Self::of_all(
            SourceError::new(message)
                .hint("a majority of the servers has to be up: consul operator raft list-peers"),
        )
    }

    /// The answer is too old.
    pub(crate) fn stale(subject: &Subject, meta: &QueryMeta, most: Duration) -> Self {
        let age = meta.last_contact;
        let message = format!("{subject}: the answer is {age:?} old, and no more than {most:?} is taken");
        Self::of_all(SourceError::new(message).hint("see maxStale, and whether the servers reach each other"))
    }

    /// The catalog has begun anew, and lacks what was there before.
    pub(crate) fn held(subject: &Subject, before: usize, now: usize) -> Self {
        let message = format!(
            "{subject}: Consul's catalog has begun anew or was restored, and has {now} of {before} entries"
        );
        Self::of_one(SourceError::new(message).hint(
            "what was known stays until the service is registered again, or most of the others are back",
        ))
    }
}

#[cfg(test)]
mod tests {
    use biplane_consul_client::{Consistency, Scope};
    use biplane_source::Cause;

    use super::*;

    fn subject() -> Subject {
        let scope = Scope { datacenter: Some("dc2".to_owned()), ..Scope::default() };
        let what = What::Service("web".to_owned());
        Subject { what, scope, consistency: Consistency::Default, cached: false }
    }

    #[test]
    fn a_failure_of_the_whole_is_told_apart_from_that_of_one_service() {
        let denied = |message: &str| Error::Denied { message: message.to_owned() };
        let of = |error| Failure::of_call(&subject(), &error);
        assert!(of(denied("ACL not found")).is_general);
        let one = of(denied("Permission denied"));
        assert!(!one.is_general && one.error.cause == Cause::Denied, "{one:?}");
        assert!(one.error.hint.expect("advice").contains("service_prefix"));
        let none = of(Error::NoLeader { address: "a".to_owned() });
        assert!(none.is_general && none.error.message.contains("dc2"), "{none:?}");
    }
}
