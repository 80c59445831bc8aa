//! The forms of secrets besides certificates: what has to be there, and what Envoy or a request could not carry.

use std::collections::{BTreeMap, BTreeSet};

use crate::path::Trail;
use crate::resources::secret::{ApiKeySecret, AwsSecret, CredentialsSecret, HeaderSecret};
use crate::scalars::SecretString;
use crate::validate::{Validator, pem, text};

/// Most bytes that Envoy takes in a header's name or value.
const MAX_HEADER: usize = 16_384;
/// How `htpasswd -s` marks a SHA-1.
const SHA: &str = "{SHA}";
/// The base64 of twenty bytes.
const SHA_LENGTH: usize = 28;
/// How other hashes of `htpasswd` start.
const OTHER_HASHES: [&str; 7] = ["$apr1$", "$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$"];

/// A value that must be there.
pub(super) fn given(v: &mut Validator<'_, '_>, value: Option<&SecretString>, name: &str, at: &Trail<'_>) {
    if value.is_none_or(SecretString::is_empty) {
        v.missing(&at.field(name), format!("{name} is missing"), format!("write {name}: ..."));
    }
}

/// Values by names, one at least.
pub(super) fn named(v: &mut Validator<'_, '_>, values: &BTreeMap<String, SecretString>, at: &Trail<'_>) {
    if values.is_empty() {
        v.missing(at, "the secret has no value", "write a name and its value");
    }
    for (name, value) in values {
        let at = at.field(name);
        if name.is_empty() {
            v.error(&at, "the value has no name");
        }
        if value.is_empty() {
            v.error(&at, "the value is empty");
        }
    }
}

pub(super) fn header(v: &mut Validator<'_, '_>, secret: &HeaderSecret, at: &Trail<'_>) {
    let at = at.field("headers");
    named(v, &secret.headers, &at);
    let mut names = BTreeSet::new();
    for (name, value) in secret.headers.iter().filter(|(name, _)| !name.is_empty()) {
        let at = at.field(name);
        if let Err(why) = text::mutable_header_name(name) {
            v.error(&at, why);
        }
        if !names.insert(name.to_ascii_lowercase()) {
            v.error_hint(&at, "the header is written twice, with other letters", "remove one of them");
        }
        header_value(v, value.expose(), &at);
        if name.len() > MAX_HEADER || value.expose().len() > MAX_HEADER {
            v.error(&at, format!("longer than the {MAX_HEADER} bytes that Envoy takes"));
        }
    }
}

fn header_value(v: &mut Validator<'_, '_>, value: &str, at: &Trail<'_>) {
    if let Err(why) = text::header_value(value) {
        v.error_hint(at, why, "a value in a block (`|`) ends with a line break; write it behind the name");
    }
}

pub(super) fn credentials(v: &mut Validator<'_, '_>, secret: &CredentialsSecret, at: &Trail<'_>) {
    let single = secret.username.as_deref().filter(|name| !name.is_empty());
    let password = secret.password.as_ref().filter(|password| !password.is_empty());
    match (single, password) {
        (Some(_), None) => v.missing(at, "username has no password beside it", "write both"),
        (None, Some(_)) => v.missing(at, "password has no username beside it", "write both"),
        (None, None) if secret.users.is_empty() => {
            v.missing(
                at,
                "the secret has no user",
                "write username and password, or users: {name: password}",
            );
        }
        _ => {}
    }
    if let Some(name) = single {
        user_name(v, name, &at.field("username"));
        if secret.users.contains_key(name) {
            v.error_hint(&at.field("username"), "the user is under `users` too", "remove one of them");
        }
    }
    if let Some(password) = password {
        hash(v, password, &at.field("password"));
    }
    named_users(v, &secret.users, &at.field("users"));
}

fn named_users(v: &mut Validator<'_, '_>, users: &BTreeMap<String, SecretString>, at: &Trail<'_>) {
    for (name, password) in users {
        let at = at.field(name);
        user_name(v, name, &at);
        if password.is_empty() {
            v.error(&at, "the user has no password");
        }
        hash(v, password, &at);
    }
}

/// In the request a colon ends the name, and in what Envoy reads a line break ends the user.
fn user_name(v: &mut Validator<'_, '_>, name: &str, at: &Trail<'_>) {
    if name.is_empty() {
        v.error(at, "the user has no name");
    }
    if name.starts_with('#') {
        v.error(at, "Envoy takes a user whose name starts with # for a comment");
    }
    if name.contains(|c: char| c == ':' || c.is_control()) {
        v.error(at, "the name of a user has neither a colon nor a control character");
    }
}

/// A password that is a hash already must be one that Envoy can compare.
fn hash(v: &mut Validator<'_, '_>, password: &SecretString, at: &Trail<'_>) {
    let password = password.expose();
    let hint = "write what `htpasswd -s` prints behind the colon, or the password itself";
    if let Some(hash) = password.strip_prefix(SHA)
        && (hash.len() != SHA_LENGTH || !pem::is_base64(hash))
    {
        v.error_hint(at, "not {SHA} and the base64 of a SHA-1", hint);
    }
    if OTHER_HASHES.iter().any(|start| password.starts_with(start)) {
        v.warning_hint(
            at,
            "this looks like a hash that Envoy has not; it is taken for the password itself",
            hint,
        );
    }
}

pub(super) fn api_key(v: &mut Validator<'_, '_>, secret: &ApiKeySecret, at: &Trail<'_>) {
    let single = secret.api_key.as_ref().filter(|key| !key.is_empty());
    if single.is_none() && secret.keys.is_empty() {
        v.missing(at, "the secret has no key", "write apiKey: ..., or keys: {client: key}");
    }
    let own = v.findings.key().name.clone();
    if single.is_some() && secret.keys.contains_key(&own) {
        let message = "the client that is named like the secret has the key under `apiKey`";
        v.error_hint(&at.field("keys").field(&own), message, "remove one of them");
    }
    let mut clients = BTreeMap::new();
    if let Some(key) = single {
        key_text(v, key, &at.field("apiKey"));
        clients.insert(key.expose(), "apiKey".to_owned());
    }
    let keys = at.field("keys");
    for (client, key) in &secret.keys {
        let at = keys.field(client);
        client_name(v, client, &at);
        key_text(v, key, &at);
        if let Some(before) = clients.insert(key.expose(), client.clone()) {
            v.error_hint(&at, format!("the same key as {before:?}"), "give each client a key of its own");
        }
    }
}

/// Envoy passes it on in a header.
fn client_name(v: &mut Validator<'_, '_>, client: &str, at: &Trail<'_>) {
    if client.is_empty() {
        v.error(at, "the client has no name");
    }
    if let Err(why) = text::header_value(client) {
        v.error(at, why);
    }
}

/// A key is what a request carries: without blanks around it, and without the word that Envoy cuts off.
fn key_text(v: &mut Validator<'_, '_>, key: &SecretString, at: &Trail<'_>) {
    let key = key.expose();
    if key.is_empty() {
        v.error(at, "the key is empty");
    }
    header_value(v, key, at);
    if key.trim() != key {
        v.error(at, "no request can carry a key with blanks around it");
    }
    if key.starts_with("Bearer ") {
        v.error_hint(at, "Envoy cuts off `Bearer ` before it compares", "write the key without it");
    }
}

pub(super) fn aws(v: &mut Validator<'_, '_>, secret: &AwsSecret, at: &Trail<'_>) {
    if secret.access_key.as_ref().is_none_or(String::is_empty) {
        v.missing(&at.field("accessKey"), "accessKey is missing", "write accessKey: ...");
    }
    given(v, secret.secret_key.as_ref(), "secretKey", at);
}
