//! Values in Vault: what Vault could not answer, told before it is asked.

use std::net::IpAddr;

use super::external;
use crate::path::Trail;
use crate::resources::secret::{KeyPlace, VaultAws, VaultKv, VaultPki, VaultSecret};
use crate::scalars::Duration;
use crate::validate::Validator;

/// Where a key-value engine is mounted unless somebody says otherwise.
const KV_MOUNT: &str = "secret";
/// What AWS allows for credentials of limited life, in seconds.
const AWS_LIFE: [u64; 2] = [900, 129_600];

pub(super) fn vault(v: &mut Validator<'_, '_>, secret: &VaultSecret, at: &Trail<'_>) {
    let engines = [("kv", secret.kv.is_some()), ("pki", secret.pki.is_some()), ("aws", secret.aws.is_some())];
    v.exactly_one(at, "the engine", &engines);
    external::source(v, secret.source.as_deref(), at);
    v.above_zero(&at.field("refresh"), secret.refresh);
    match &secret.kv {
        Some(place) => {
            kv(v, place, &at.field("kv"));
            external::fields(v, secret.form, &secret.fields, &at.field("fields"));
        }
        None => without_kv(v, secret, at),
    }
    if let Some(place) = &secret.pki {
        pki(v, place, &at.field("pki"));
    }
    if let Some(place) = &secret.aws {
        aws(v, place, &at.field("aws"));
    }
}

/// The other engines know what their values are.
fn without_kv(v: &mut Validator<'_, '_>, secret: &VaultSecret, at: &Trail<'_>) {
    for (name, set) in [("form", secret.form.is_some()), ("fields", !secret.fields.is_empty())] {
        if set && (secret.pki.is_some() || secret.aws.is_some()) {
            v.error_hint(&at.field(name), format!("{name} has a meaning beside kv only"), "leave it out");
        }
    }
}

fn kv(v: &mut Validator<'_, '_>, place: &VaultKv, at: &Trail<'_>) {
    mount(v, place.mount.as_deref(), at);
    v.within(&at.field("version"), place.version, 1, 2);
    let path = &place.path;
    let at = at.field("path");
    if path.is_empty() {
        return v.missing(&at, "the path is missing", "write kv: {path: team/name}");
    }
    if path.starts_with('/') || path.ends_with('/') {
        let hint = format!("write {}", path.trim_matches('/'));
        v.error_hint(&at, "the path stands without / at its ends", hint);
    }
    if path.trim_matches('/').split('/').any(|part| matches!(part, "" | "." | "..")) {
        v.error(&at, "a part of the path is empty or made of dots");
    }
    pasted(v, place, &at);
}

/// Vault's own texts show paths with the mount, and those of version 2 with `data/`.
fn pasted(v: &mut Validator<'_, '_>, place: &VaultKv, at: &Trail<'_>) {
    let mount = place.mount.as_deref().unwrap_or(KV_MOUNT);
    let below = place.path.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/'));
    let inner = below.unwrap_or(&place.path);
    let plain = inner.strip_prefix("data/").filter(|_| place.version != Some(1));
    if below.is_some() || plain.is_some() {
        let message = "the path is the one below the mount, without data/";
        let hint = format!("probably mount: {mount}, path: {}", plain.unwrap_or(inner));
        v.warning_hint(at, message, hint);
    }
}

fn mount(v: &mut Validator<'_, '_>, mount: Option<&str>, at: &Trail<'_>) {
    let Some(mount) = mount else { return };
    let at = at.field("mount");
    if mount.is_empty() {
        v.error_hint(&at, "the mount is empty", "leave it out for the default");
    }
    if mount.starts_with('/') || mount.ends_with('/') {
        let hint = format!("write {}", mount.trim_matches('/'));
        v.error_hint(&at, "the mount stands without / at its ends", hint);
    }
}

fn role(v: &mut Validator<'_, '_>, role: &str, at: &Trail<'_>) {
    let at = at.field("role");
    if role.is_empty() {
        v.missing(&at, "the role is missing", "write the name of a role of the engine");
    }
    if role.contains('/') {
        v.error(&at, "the name of a role has no /");
    }
}

fn pki(v: &mut Validator<'_, '_>, place: &VaultPki, at: &Trail<'_>) {
    mount(v, place.mount.as_deref(), at);
    role(v, &place.role, at);
    let unnamed = [&place.alt_names, &place.ip_sans, &place.uri_sans].iter().all(|names| names.is_empty());
    if place.common_name.is_empty() && unnamed {
        v.missing(
            &at.field("commonName"),
            "the certificate has no name",
            "write commonName: shop.example.com",
        );
    }
    for (index, address) in place.ip_sans.iter().enumerate() {
        if address.parse::<IpAddr>().is_err() {
            v.error(&at.field("ipSans").index(index), format!("{address:?} is no IP address"));
        }
    }
    for (index, uri) in place.uri_sans.iter().enumerate() {
        if !uri.contains(':') {
            let hint = "write spiffe://example.com/shop";
            v.error_hint(&at.field("uriSans").index(index), format!("{uri:?} has no scheme"), hint);
        }
    }
    alternative_names(v, &place.alt_names, at);
    if place.key == Some(KeyPlace::Vault) && place.key_type.is_some() {
        let hint = "leave it out, or write key: local";
        v.error_hint(&at.field("keyType"), "the role says what kind of key Vault makes", hint);
    }
    life(v, place.ttl, at);
}

fn alternative_names(v: &mut Validator<'_, '_>, names: &[String], at: &Trail<'_>) {
    let list = at.field("altNames");
    for (index, name) in names.iter().enumerate() {
        let at = list.index(index);
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ',' || c == '/') {
            v.error_hint(&at, format!("{name:?} is no DNS name"), "write each name as an item of the list");
        } else if name.parse::<IpAddr>().is_ok() {
            v.error_hint(&at, format!("{name:?} is an IP address"), "write it under ipSans");
        }
    }
}

/// Vault counts whole seconds.
fn life(v: &mut Validator<'_, '_>, ttl: Option<Duration>, at: &Trail<'_>) {
    let at = at.field("ttl");
    v.above_zero(&at, ttl);
    if ttl.is_some_and(|ttl| ttl.0.subsec_nanos() != 0) {
        v.error(&at, "Vault counts whole seconds");
    }
}

fn aws(v: &mut Validator<'_, '_>, place: &VaultAws, at: &Trail<'_>) {
    mount(v, place.mount.as_deref(), at);
    role(v, &place.role, at);
    if place.role_arn.as_ref().is_some_and(|arn| !arn.starts_with("arn:")) {
        let hint = "write arn:aws:iam::<account>:role/<name>";
        v.error_hint(&at.field("roleArn"), "not the ARN of a role", hint);
    }
    life(v, place.ttl, at);
    let [least, most] = AWS_LIFE;
    if place.ttl.is_some_and(|ttl| !ttl.0.is_zero() && !(least..=most).contains(&ttl.0.as_secs())) {
        let hint = "write 1h, or leave it out for the role's";
        v.warning_hint(&at.field("ttl"), "AWS gives credentials for 15 minutes to 36 hours", hint);
    }
}
