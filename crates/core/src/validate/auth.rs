//! Who is let in: users and clients of a secret.

use super::{Validator, headers, text};
use crate::key::ResourceRef;
use crate::options::api_key_auth::KeySource;
use crate::options::{ApiKeyAuth, BasicAuth};
use crate::path::Trail;

/// Longest name that Envoy takes for a place where a key is, or for a header to pass its owner on by.
const MAX_NAME: usize = 1024;

pub(super) fn options(
    v: &mut Validator<'_, '_>,
    basic: Option<&BasicAuth>,
    api_key: Option<&ApiKeyAuth>,
    at: &Trail<'_>,
) {
    if let Some(auth) = basic {
        basic_auth(v, auth, &at.field("basicAuth"));
    }
    if let Some(auth) = api_key {
        api_key_auth(v, auth, &at.field("apiKeyAuth"));
    }
}

fn basic_auth(v: &mut Validator<'_, '_>, auth: &BasicAuth, at: &Trail<'_>) {
    let bare = BasicAuth { disable: auth.disable, ..BasicAuth::default() };
    secret(v, auth.secret_ref.as_ref(), auth.disable == Some(true), *auth == bare, at);
    forwarded(v, auth.forward_username_header.as_deref(), &at.field("forwardUsernameHeader"));
}

fn api_key_auth(v: &mut Validator<'_, '_>, auth: &ApiKeyAuth, at: &Trail<'_>) {
    let bare = ApiKeyAuth { disable: auth.disable, ..ApiKeyAuth::default() };
    secret(v, auth.secret_ref.as_ref(), auth.disable == Some(true), *auth == bare, at);
    for (index, source) in auth.key_sources.iter().enumerate() {
        let sources = at.field("keySources");
        key_source(v, source, &sources.index(index));
    }
    for (index, client) in auth.allowed_clients.iter().enumerate() {
        if client.is_empty() {
            v.error(&at.field("allowedClients").index(index), "the client has no name");
        }
    }
    forwarded(v, auth.forward_client_id_header.as_deref(), &at.field("forwardClientIdHeader"));
}

/// Either a secret, or the word that none is wanted; `bare`: nothing else is said.
fn secret(
    v: &mut Validator<'_, '_>,
    secret: Option<&ResourceRef>,
    disabled: bool,
    bare: bool,
    at: &Trail<'_>,
) {
    match secret {
        _ if disabled && !bare => v.error_hint(at, "disable leaves nothing to set", "keep one of them"),
        None if !disabled => {
            let hint = "write secretRef: {name: ..., namespace: ...}, or disable: true";
            v.missing(&at.field("secretRef"), "the secret is missing", hint);
        }
        Some(reference) => v.reference(reference, &at.field("secretRef")),
        None => {}
    }
}

fn forwarded(v: &mut Validator<'_, '_>, header: Option<&str>, at: &Trail<'_>) {
    let Some(header) = header else { return };
    if let Err(why) = text::mutable_header_name(header) {
        v.error(at, format!("{header:?}: {why}"));
    }
    length(v, header, at);
}

fn key_source(v: &mut Validator<'_, '_>, source: &KeySource, at: &Trail<'_>) {
    let places = [("header", &source.header), ("query", &source.query), ("cookie", &source.cookie)];
    let choices = places.map(|(name, place)| (name, place.is_some()));
    v.exactly_one(at, "the place of the key", &choices);
    for (name, place) in places.into_iter().filter_map(|(name, place)| Some((name, place.as_ref()?))) {
        let at = at.field(name);
        if name == "query" && place.is_empty() {
            v.error(&at, "the query parameter has no name");
        } else if name != "query" {
            headers::name(v, place, &at);
        }
        length(v, place, &at);
    }
}

fn length(v: &mut Validator<'_, '_>, name: &str, at: &Trail<'_>) {
    if name.len() > MAX_NAME {
        v.error(at, format!("longer than the {MAX_NAME} bytes that Envoy takes"));
    }
}
