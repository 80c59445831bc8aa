//! Certificates, keys and roots.

use crate::path::Trail;
use crate::resources::secret::TlsSecret;
use crate::validate::{Validator, pem};

pub(super) fn tls(v: &mut Validator<'_, '_>, tls: &TlsSecret, at: &Trail<'_>) {
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
