//! What Consul's refusals mean for a store, and what to try.

use biplane_consul_client::{Error, QueryMeta};
use biplane_store::StoreError;

use crate::place::Place;

/// The outcome of a call that has no answer.
pub(crate) fn failure(place: &Place, error: Error) -> StoreError {
    match error {
        Error::Denied { message } => denied(place, &message),
        Error::RateLimited { retry_after, .. } => StoreError::busy(error.to_string(), retry_after)
            .with_hint("raise limits.request_limits of the servers, or have fewer clients"),
        Error::Unreachable { .. } => StoreError::unavailable(error.to_string())
            .with_hint("is the agent running, and is this its address? (CONSUL_HTTP_ADDR, --store)"),
        Error::TimedOut { .. } => StoreError::unavailable(error.to_string()),
        Error::NoLeader { .. } => StoreError::unavailable(error.to_string())
            .with_hint("a majority of the servers has to be up: consul operator raft list-peers"),
        Error::TooLarge { .. } => StoreError::invalid(error.to_string())
            .with_hint("values go up to 512 KiB: see limits.kv_max_value_size of the agents"),
        Error::Refused { status: 500.., .. } | Error::Malformed { .. } => {
            StoreError::unavailable(error.to_string())
        }
        other => StoreError::invalid(other.to_string()),
    }
}

fn denied(place: &Place, message: &str) -> StoreError {
    let config = place.config("");
    let hint = if message.contains("ACL not found") {
        "Consul does not know this token: it was deleted, has expired, or belongs to another cluster"
            .to_owned()
    } else if message.contains("'key:list'") {
        format!(
            "the agents list keys only with that right: key_prefix {config:?} with policy \"list\" or \"write\""
        )
    } else {
        format!(
            "the token's policy needs key_prefix {config:?} with policy \"read\" (\"write\" to change objects)"
        )
    };
    StoreError::denied(format!("Consul refuses: {message}")).with_hint(hint)
}

/// Refuses an answer that says that it is not all of it, or that nobody vouches for.
pub(crate) fn whole(place: &Place, meta: &QueryMeta) -> Result<(), StoreError> {
    if meta.filtered {
        let config = place.config("");
        let error = format!("Consul leaves out keys below {config} that the token may not read");
        return Err(StoreError::denied(error).with_hint(format!(
            "the token's policy needs key_prefix {config:?} with policy \"read\", and no narrower rule that denies"
        )));
    }
    if !meta.known_leader {
        return Err(StoreError::unavailable("Consul has no leader who vouches for what it answers"));
    }
    Ok(())
}
