//! `basicAuth`: users with hashes that Envoy can compare.

use std::collections::BTreeMap;

use biplane_core::key::ResourceRef;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use super::Draft;
use crate::router::MadeSecret;

const SHA: &str = "{SHA}";
/// The base64 of twenty bytes.
const SHA_LENGTH: usize = 28;

/// Holds hashes of passwords: never printed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BasicAuth {
    users: Vec<String>,
    users_file: String,
    remove_header: bool,
    header_field: String,
}

pub(super) fn basic(name: &str, options: &BasicAuth, draft: &mut Draft<'_>) {
    if draft.options.contains_key("basicAuth") {
        return draft.forbid(format!("middleware {name}: a second basicAuth on one route cannot be built"));
    }
    if !options.users_file.is_empty() {
        draft.warn(format!("middleware {name}: usersFile is left out, a file of Traefik's is not read"));
    }
    let mut users = BTreeMap::new();
    for (at, user) in options.users.iter().enumerate() {
        match parsed(user) {
            Some((user, hash)) => {
                // Of one that is written twice Traefik takes the last.
                users.insert(user.to_owned(), hash.to_owned());
            }
            // The name of a user is in no message: what is malformed may be a password.
            None => draft.warn(format!(
                "middleware {name}: user {} is not let in; Envoy compares hashes of the form {{SHA}} only",
                at + 1
            )),
        }
    }
    if users.is_empty() {
        let why = format!("middleware {name}: it has no user that can be let in");
        return draft.close(
            403,
            why,
            Some("write users as `htpasswd -s` prints them, or name a Secret under tags.traefik.users"),
        );
    }
    add(&users, options, draft);
}

/// A middleware whose users are in a secret of the settings.
pub(super) fn by_settings(name: &str, secret: &ResourceRef, draft: &mut Draft<'_>) {
    if draft.options.contains_key("basicAuth") {
        return draft.forbid(format!("middleware {name}: a second basicAuth on one route cannot be built"));
    }
    let auth = json!({"secretRef": {"name": secret.name, "namespace": secret.namespace}});
    draft.options.insert("basicAuth".to_owned(), auth);
}

fn add(users: &BTreeMap<String, String>, options: &BasicAuth, draft: &mut Draft<'_>) {
    let credentials = json!({"users": users});
    let secret_name = format!("users-{:032x}", xxh3_128(credentials.to_string().as_bytes()));
    let mut auth = json!({"secretRef": {"name": secret_name, "namespace": draft.namespace}});
    if !options.header_field.is_empty() {
        auth["forwardUsernameHeader"] = json!(options.header_field);
    }
    if options.remove_header {
        draft.headers.remove_request("Authorization");
    }
    draft.options.insert("basicAuth".to_owned(), auth);
    let fields: Map<String, Value> = [("credentials".to_owned(), credentials)].into_iter().collect();
    draft.secrets.push(MadeSecret { name: secret_name, fields });
}

/// A user's name and hash, if Envoy can compare it.
fn parsed(user: &str) -> Option<(&str, &str)> {
    let (name, hash) = user.split_once(':')?;
    let base64 = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=');
    let digest = hash.strip_prefix(SHA)?;
    let usable = digest.len() == SHA_LENGTH
        && digest.bytes().all(base64)
        && digest.ends_with('=')
        && !name.is_empty()
        && !name.starts_with('#')
        && !name.contains(char::is_control);
    usable.then_some((name, hash))
}
