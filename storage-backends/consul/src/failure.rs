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
        let (right, key) = lacking(message).unwrap_or(("read", &config));
        let folder = place.folder(key);
        let more = if right == "read" && folder == config { " (\"write\" to change objects)" } else { "" };
        format!("the token's policy needs key_prefix {folder:?} with policy {right:?}{more}")
    };
    StoreError::denied(format!("Consul refuses: {message}")).with_hint(hint)
}

/// The right on a key, and the key, that Consul says the token lacks: `lacks permission 'key:write' on "a/b"`.
fn lacking(message: &str) -> Option<(&str, &str)> {
    let (right, rest) = message.split_once("'key:")?.1.split_once("' on \"")?;
    Some((right, rest.split_once('"')?.0))
}

/// Refuses an answer that says that it is not all of the configuration, or that nobody vouches for.
pub(crate) fn whole(place: &Place, meta: &QueryMeta) -> Result<(), StoreError> {
    whole_below(place, &place.config(""), meta)
}

/// The same of what was asked for below any folder.
pub(crate) fn whole_below(place: &Place, folder: &str, meta: &QueryMeta) -> Result<(), StoreError> {
    if meta.filtered {
        let error = format!("Consul leaves out keys below {folder} that the token may not read");
        // Records are read by whoever asks, and written by the leader, who reads them first.
        let more = if folder == place.config("") { "" } else { " (\"write\" to lead)" };
        return Err(StoreError::denied(error).with_hint(format!(
            "the token's policy needs key_prefix {folder:?} with policy \"read\"{more}, and no narrower rule that denies"
        )));
    }
    if !meta.known_leader {
        return Err(StoreError::unavailable("Consul has no leader who vouches for what it answers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use biplane_store::layout::Layout;

    use super::*;

    fn hint(message: &str) -> String {
        let place = Place::new("consul://h/edge/one", "edge/one", Layout::default());
        denied(&place, message).hint().expect("advice").to_owned()
    }

    #[test]
    fn the_rule_that_a_policy_lacks_is_named() {
        for (right, key, rule) in [
            (
                "read",
                "edge/one/config/_index",
                "key_prefix \"edge/one/config/\" with policy \"read\" (\"write\"",
            ),
            (
                "write",
                "edge/one/config/Upstream/a/b",
                "key_prefix \"edge/one/config/\" with policy \"write\"",
            ),
            (
                "write",
                "edge/one/history/Upstream/a/b/1",
                "key_prefix \"edge/one/history/\" with policy \"write\"",
            ),
            ("write", "edge/one/meta/leader", "key_prefix \"edge/one/meta/\" with policy \"write\""),
        ] {
            let message = format!(
                "Permission denied: token with AccessorID 'a' lacks permission 'key:{right}' on {key:?}"
            );
            assert!(hint(&message).contains(rule), "{}", hint(&message));
        }
        assert!(hint("Permission denied").contains("key_prefix \"edge/one/config/\""));
    }
}
