//! The policies that are shipped, whole and with a right less.

use serde_json::json;

use crate::harness::{World, unique};

/// A policy as it is shipped, for another mount.
pub(crate) fn shipped(file: &str, mount: &str, other: &str) -> String {
    let path = format!("{}/../../docs/policies/vault/{file}", env!("CARGO_MANIFEST_DIR"));
    let policy = std::fs::read_to_string(path).expect("a policy");
    policy.replace(
        &format!("path \"{mount}"),
        &format!("path \"{other}{}", if other.is_empty() { "" } else { "/" }),
    )
}

/// The policy without one of its paths.
pub(crate) fn without(policy: &str, path: &str) -> String {
    let start = policy.find(&format!("path \"{path}\"")).expect("the path is in the policy");
    let end = start + policy[start..].find('}').expect("a path has an end") + 1;
    format!("{}{}", &policy[..start], &policy[end..])
}

/// A token with nothing but these rules.
pub(crate) async fn bare_token(world: &World, rules: &str, ttl: &str) -> String {
    let name = unique("policy");
    world.root().policy(&name, rules).await.expect("a policy");
    let wanted = json!({ "policies": [name], "ttl": ttl, "no_default_policy": true });
    world.root().token_with(&wanted).await.expect("a token").secret
}
