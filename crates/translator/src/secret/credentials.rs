//! Users and clients of secrets, in the forms in which Envoy's filters compare them.
//!
//! What Envoy would refuse is left out here, whoever wrote it: Envoy refuses all routes of a listener for one bad user,
//! and its refusal quotes a key that two clients have.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_core::key::ObjectKey;
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;
use biplane_core::resources::secret::{ApiKeySecret, CredentialsSecret};
use biplane_core::scalars::SecretString;
use zeroize::Zeroizing;

use super::trimmed;

/// In front of a hash that is written instead of a password.
const SHA: &str = "{SHA}";
/// The bytes of a SHA-1.
const SHA_BYTES: usize = 20;

/// The users of a secret as `htpasswd -s` writes them, one a line.
pub(crate) fn users(secret: &Secret) -> Zeroizing<String> {
    let mut lines = Zeroizing::new(String::new());
    for (_, name, password) in secret.credentials.iter().flat_map(all_users) {
        if fit(name, password).is_ok() {
            let _ = writeln!(lines, "{name}:{SHA}{}", hash(password));
        }
    }
    lines
}

/// Whether a secret has any user to let in.
pub(crate) fn has_users(secret: &Secret) -> bool {
    secret.credentials.iter().flat_map(all_users).any(|(_, name, password)| fit(name, password).is_ok())
}

/// The keys of a secret with their clients, sorted by client; each key once. `name` is that of the secret.
pub(crate) fn clients<'a>(name: &'a str, secret: &'a Secret) -> Vec<(&'a str, &'a str)> {
    let keys = secret.api_key.iter().flat_map(|keys| all_keys(name, keys));
    let mut seen = HashSet::new();
    keys.map(|(client, (_, key))| (client, trimmed(key)))
        .filter(|(client, key)| this_key(client, key).is_ok() && seen.insert(*key))
        .collect()
}

/// What of the users and clients of a secret cannot be used. In an object these are mistakes that reading it finds;
/// what is kept elsewhere is seen here first.
pub(super) fn unfit(key: &ObjectKey, secret: &Secret) -> Vec<Report> {
    let report = |path: FieldPath, why: &str| Report::error(key, path, format!("{why}, so it is not used"));
    let users = secret.credentials.iter().flat_map(all_users);
    let users = users.filter_map(|(path, name, password)| Some(report(path, fit(name, password).err()?)));
    let mut seen = HashSet::new();
    let keys = secret.api_key.iter().flat_map(|keys| all_keys(&key.name, keys));
    let keys = keys.filter_map(|(client, (path, key))| {
        let key = trimmed(key);
        let twice = if seen.insert(key) { Ok(()) } else { Err("another client has the same key") };
        Some(report(path, this_key(client, key).and(twice).err()?))
    });
    users.chain(keys).collect()
}

/// The users of both forms. `username` counts where it is under `users` as well.
fn all_users(secret: &CredentialsSecret) -> impl Iterator<Item = (FieldPath, &str, &SecretString)> {
    let path = FieldPath::root().field("credentials");
    let single = secret.username.as_deref().zip(secret.password.as_ref());
    let own = single.map(|(name, password)| (path.field("username"), name, password));
    let others = secret.users.iter().filter(move |(name, _)| secret.username.as_ref() != Some(*name));
    let others = others.map(move |(name, password)| (path.field("users").field(name), &**name, password));
    own.into_iter().chain(others)
}

/// Why Envoy would not take a user.
fn fit(name: &str, password: &SecretString) -> Result<(), &'static str> {
    let password = trimmed(password);
    if name.is_empty() || password.is_empty() {
        return Err("the user has no name or no password");
    }
    if name.starts_with('#') || name.contains(|c: char| c == ':' || c.is_control()) {
        return Err("the user's name starts with # or holds a colon or a control character");
    }
    match password.strip_prefix(SHA).map(|hash| STANDARD.decode(hash)) {
        None => Ok(()),
        Some(Ok(bytes)) if bytes.len() == SHA_BYTES => Ok(()),
        Some(_) => Err("{SHA} stands before something that is not the base64 of a SHA-1"),
    }
}

/// The base64 of the password's SHA-1: as it is written, or of the password itself.
fn hash(password: &SecretString) -> String {
    let password = trimmed(password);
    let computed = || STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()));
    password.strip_prefix(SHA).map_or_else(computed, ToOwned::to_owned)
}

/// The keys of both forms, by client. `apiKey` counts where the client is under `keys` as well.
fn all_keys<'a>(name: &'a str, secret: &'a ApiKeySecret) -> BTreeMap<&'a str, (FieldPath, &'a SecretString)> {
    let path = FieldPath::root().field("apiKey");
    let named = secret.keys.iter();
    let mut keys: BTreeMap<_, _> =
        named.map(|(client, key)| (&**client, (path.field("keys").field(client), key))).collect();
    keys.extend(secret.api_key.as_ref().map(|key| (name, (path.field("apiKey"), key))));
    keys
}

fn this_key(client: &str, key: &str) -> Result<(), &'static str> {
    if client.is_empty() || key.is_empty() {
        return Err("the client has no name or no key");
    }
    let is_odd = |text: &str| text.contains(char::is_control);
    if is_odd(client) || is_odd(key) || key.trim() != key {
        return Err("a request could not carry the key, or the name of its client");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use serde_json::{Value, json};

    use super::*;
    use crate::route::testing::{name_of, parsed};

    fn told(secret: &Secret) -> Vec<String> {
        unfit(&name_of("s").key(Kind::Secret), secret).iter().map(|report| report.path.to_string()).collect()
    }

    #[test]
    fn passwords_are_hashed_as_htpasswd_does() {
        let secret: Secret = parsed(json!({ "credentials": {
            "username": "ada", "password": "secret\n",
            "users": { "ada": "other", "bob": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" },
        } }));
        let expected = "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";
        assert_eq!(*users(&secret), expected);
        assert_eq!(told(&secret), Vec::<String>::new());
    }

    #[test]
    fn user_that_envoy_would_refuse_costs_only_itself() {
        for (name, password) in
            [("a:b", "x"), ("a\nb", "x"), ("#a", "x"), ("a", ""), ("a", "{SHA}x"), ("", "x")]
        {
            let secret: Secret =
                parsed(json!({ "credentials": { "users": { name: password, "good": "x" } } }));
            assert_eq!(users(&secret).lines().count(), 1, "{name:?} {password:?}");
            assert_eq!(told(&secret), [format!("credentials.users.{name}")]);
        }
    }

    fn keys(secret: &Value) -> Secret {
        parsed(json!({ "apiKey": secret }))
    }

    #[test]
    fn single_key_is_of_the_client_that_is_named_like_the_secret() {
        let secret = keys(&json!({ "apiKey": "one\n", "keys": { "shop": "two", "s": "three" } }));
        assert_eq!(clients("s", &secret), [("s", "one"), ("shop", "two")]);
        assert_eq!(told(&secret), Vec::<String>::new());
    }

    #[test]
    fn key_of_two_clients_is_that_of_the_first_and_no_report_holds_it() {
        let secret = keys(&json!({ "keys": { "a": "canary", "b": "canary", "c": " canary", "d": "" } }));
        assert_eq!(clients("s", &secret), [("a", "canary")]);
        assert_eq!(told(&secret), ["apiKey.keys.b", "apiKey.keys.c", "apiKey.keys.d"]);
        assert!(!format!("{:?}", unfit(&name_of("s").key(Kind::Secret), &secret)).contains("canary"));
    }
}
