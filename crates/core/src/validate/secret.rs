//! Secrets and settings. Nothing here quotes a value.

use super::{Validator, pem, text};
use crate::path::Trail;
use crate::resources::secret::TlsSecret;
use crate::resources::{Secret, Settings};

pub(super) fn secret(v: &mut Validator<'_, '_>, secret: &Secret, at: &Trail<'_>) {
    match &secret.tls {
        None if secret.is_known() || secret.external().is_some() => {}
        None => v.missing(at, "the secret is empty", "write tls: {certChain: ..., privateKey: ...}"),
        Some(tls) => tls_secret(v, tls, &at.field("tls")),
    }
}

fn tls_secret(v: &mut Validator<'_, '_>, tls: &TlsSecret, at: &Trail<'_>) {
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let (chain, root) = (filled(&tls.cert_chain), filled(&tls.root_ca));
    let key = tls.private_key.as_ref().is_some_and(|key| !key.is_empty());
    match (chain, key) {
        (true, false) => v.missing(at, "certChain has no privateKey beside it", "write both"),
        (false, true) => v.missing(at, "privateKey has no certChain beside it", "write both"),
        (false, false) if !root => {
            v.missing(at, "the secret is empty", "write certChain and privateKey, or rootCa");
        }
        _ => {}
    }
    if let Some(chain) = tls.cert_chain.as_deref().filter(|text| !text.is_empty()) {
        blocks(v, chain, pem::CERTIFICATES, &at.field("certChain"));
    }
    if let Some(key) = tls.private_key.as_ref().filter(|key| !key.is_empty()) {
        blocks(v, key.expose(), pem::PRIVATE_KEYS, &at.field("privateKey"));
    }
    if let Some(root) = tls.root_ca.as_deref().filter(|text| !text.is_empty()) {
        blocks(v, root, pem::CERTIFICATES, &at.field("rootCa"));
    }
    if tls.ocsp_staple.as_ref().is_some_and(|staple| !pem::is_base64(staple)) {
        v.error(&at.field("ocspStaple"), "not base64");
    }
}

fn blocks(v: &mut Validator<'_, '_>, text: &str, labels: &[&str], at: &Trail<'_>) {
    if let Err(why) = pem::check(text, labels) {
        v.error_hint(at, why, "write PEM as a block: `|` behind the name, the text indented below it");
    }
}

pub(super) fn settings(v: &mut Validator<'_, '_>, settings: &Settings, at: &Trail<'_>) {
    let Some(policy) = settings.gloo.as_ref().and_then(|gloo| gloo.invalid_config_policy.as_ref()) else {
        return;
    };
    let (gloo, body) = (at.field("gloo"), policy.invalid_route_response_body.as_deref());
    let at = gloo.field("invalidConfigPolicy");
    v.within(&at.field("invalidRouteResponseCode"), policy.invalid_route_response_code, 200, 599);
    if body.is_some_and(|body| body.len() > text::DIRECT_BODY) {
        let message = format!("longer than the {} bytes that Envoy answers with", text::DIRECT_BODY);
        v.error(&at.field("invalidRouteResponseBody"), message);
    }
}
