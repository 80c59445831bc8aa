//! TLS settings, towards clients and towards upstreams.

mod ciphers;

use std::collections::BTreeSet;

use super::{Validator, text};
use crate::path::Trail;
use crate::resources::tls::{ProtocolVersion, SslConfig, SslFiles, SslParameters, UpstreamSslConfig};
use crate::suggest::nearest;

/// Curves and key exchanges that Envoy knows.
const CURVES: [&str; 9] =
    ["X25519", "x25519", "P-256", "P-384", "P-521", "prime256v1", "secp384r1", "secp521r1", "X25519MLKEM768"];

/// Most bytes of all protocols, each with the byte that tells its length.
const MAX_ALPN: usize = 65_535;

pub(super) fn downstream(v: &mut Validator<'_, '_>, config: &SslConfig, at: &Trail<'_>) {
    let choices = [("secretRef", config.secret_ref.is_some()), ("sslFiles", config.ssl_files.is_some())];
    v.exactly_one(at, "the certificate", &choices);
    if let Some(reference) = &config.secret_ref {
        v.reference(reference, &at.field("secretRef"));
    }
    if let Some(files) = &config.ssl_files {
        pair(v, files, &at.field("sslFiles"));
        if !is_set(files.tls_cert.as_ref()) && !is_set(files.tls_key.as_ref()) {
            v.missing(&at.field("sslFiles"), "the certificate is missing", "write tlsCert: and tlsKey:");
        }
    }
    additional(v, config, &at.field("additionalSecretRefs"));
    server_names(v, &config.sni_domains, &at.field("sniDomains"));
    alpn(v, &config.alpn_protocols, &at.field("alpnProtocols"));
    let root = config.secret_ref.is_some()
        || config.ssl_files.as_ref().is_some_and(|files| is_set(files.root_ca.as_ref()));
    alternative_names(v, &config.verify_subject_alt_name, root, &at.field("verifySubjectAltName"));
    if let Some(each) = &config.parameters {
        parameters(v, each, &at.field("parameters"));
    }
    v.above_zero(&at.field("transportSocketConnectTimeout"), config.transport_socket_connect_timeout);
}

pub(super) fn upstream(v: &mut Validator<'_, '_>, config: &UpstreamSslConfig, at: &Trail<'_>) {
    let choices = [("secretRef", config.secret_ref.is_some()), ("sslFiles", config.ssl_files.is_some())];
    v.at_most_one(at, "the certificate", &choices);
    if let Some(reference) = &config.secret_ref {
        v.reference(reference, &at.field("secretRef"));
    }
    if let Some(files) = &config.ssl_files {
        pair(v, files, &at.field("sslFiles"));
    }
    sent_server_name(v, config.sni.as_deref(), &at.field("sni"));
    alpn(v, &config.alpn_protocols, &at.field("alpnProtocols"));
    let root = config.secret_ref.is_some()
        || config.ssl_files.as_ref().is_some_and(|files| is_set(files.root_ca.as_ref()));
    alternative_names(v, &config.verify_subject_alt_name, root, &at.field("verifySubjectAltName"));
    if let Some(each) = &config.parameters {
        parameters(v, each, &at.field("parameters"));
    }
}

/// A server name to send, if there is one.
pub(super) fn sent_server_name(v: &mut Validator<'_, '_>, name: Option<&str>, at: &Trail<'_>) {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return };
    if let Err(why) = text::host(name) {
        v.error(at, format!("{name:?}: {why}"));
    }
}

fn is_set(path: Option<&String>) -> bool {
    path.is_some_and(|path| !path.is_empty())
}

/// A certificate and its key come together.
fn pair(v: &mut Validator<'_, '_>, files: &SslFiles, at: &Trail<'_>) {
    match (is_set(files.tls_cert.as_ref()), is_set(files.tls_key.as_ref())) {
        (true, false) => v.missing(at, "tlsCert has no tlsKey beside it", "write both"),
        (false, true) => v.missing(at, "tlsKey has no tlsCert beside it", "write both"),
        _ => {}
    }
}

fn additional(v: &mut Validator<'_, '_>, config: &SslConfig, at: &Trail<'_>) {
    let mut named: BTreeSet<_> = config.secret_ref.iter().collect();
    for (index, reference) in config.additional_secret_refs.iter().enumerate() {
        v.reference(reference, &at.index(index));
        if !named.insert(reference) {
            v.error_hint(
                &at.index(index),
                format!("secret {reference} is named twice"),
                "remove one of them",
            );
        }
    }
}

fn server_names(v: &mut Validator<'_, '_>, names: &[String], at: &Trail<'_>) {
    for (index, name) in names.iter().enumerate() {
        let at = at.index(index);
        server_name(v, name, &at);
        // Envoy compares names without regard to case, and refuses a listener where one comes twice.
        if names[..index].iter().any(|before| before.eq_ignore_ascii_case(name)) {
            v.error_hint(&at, format!("{name:?} is listed twice"), "remove one of them");
        }
    }
}

fn server_name(v: &mut Validator<'_, '_>, name: &str, at: &Trail<'_>) {
    if name.is_empty() {
        v.error(at, "the server name is empty");
    }
    if name.strip_prefix("*.").unwrap_or(name).contains('*') {
        let hint = "write *.example.com, or no sniDomains at all for every name";
        v.error_hint(at, format!("{name:?}: a server name has a * only as its first label"), hint);
    }
}

/// Envoy joins the protocols by commas and aborts, all of it, over a list that does not split again.
fn alpn(v: &mut Validator<'_, '_>, protocols: &[String], at: &Trail<'_>) {
    for (index, protocol) in protocols.iter().enumerate() {
        if protocol.is_empty() || protocol.len() > 255 {
            v.error(&at.index(index), "a protocol has 1 to 255 bytes");
        }
        if protocol.contains(',') {
            let hint = "write each protocol as an item of the list";
            v.error_hint(&at.index(index), format!("{protocol:?}: a protocol has no comma"), hint);
        }
    }
    let length = protocols.iter().map(|protocol| protocol.len() + 1).sum::<usize>();
    if length > MAX_ALPN {
        v.error(at, format!("longer than the {MAX_ALPN} bytes that Envoy takes"));
    }
}

/// Names are worth nothing in a certificate that anybody may have signed; Envoy refuses that.
fn alternative_names(v: &mut Validator<'_, '_>, names: &[String], root: bool, at: &Trail<'_>) {
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() {
            v.error(&at.index(index), "the name to verify is empty");
        }
    }
    if !names.is_empty() && !root {
        v.missing(
            at,
            "names are verified only beside a root certificate",
            "write rootCa under sslFiles, or use a secret",
        );
    }
}

fn parameters(v: &mut Validator<'_, '_>, parameters: &SslParameters, at: &Trail<'_>) {
    let order = |version: Option<ProtocolVersion>, auto: u8| match version {
        None | Some(ProtocolVersion::TLS_AUTO) => auto,
        Some(ProtocolVersion::TLSv1_0) => 10,
        Some(ProtocolVersion::TLSv1_1) => 11,
        Some(ProtocolVersion::TLSv1_2) => 12,
        Some(ProtocolVersion::TLSv1_3) => 13,
    };
    if order(parameters.minimum_protocol_version, 0) > order(parameters.maximum_protocol_version, u8::MAX) {
        v.error(&at.field("minimumProtocolVersion"), "above maximumProtocolVersion, so no version is left");
    }
    for (index, suite) in parameters.cipher_suites.iter().enumerate() {
        ciphers::suite(v, suite, &at.field("cipherSuites").index(index));
    }
    curves(v, &parameters.ecdh_curves, &at.field("ecdhCurves"));
}

fn curves(v: &mut Validator<'_, '_>, curves: &[String], at: &Trail<'_>) {
    let mut listed = BTreeSet::new();
    for (index, curve) in curves.iter().enumerate() {
        let at = at.index(index);
        known(v, curve, &CURVES, &at);
        if !listed.insert(canonical_curve(curve)) {
            v.error_hint(&at, format!("the curve {curve:?} is listed twice"), "remove one of them");
        }
    }
}

/// Two names may mean one curve.
fn canonical_curve(name: &str) -> &str {
    match name {
        "x25519" => "X25519",
        "prime256v1" => "P-256",
        "secp384r1" => "P-384",
        "secp521r1" => "P-521",
        _ => name,
    }
}

fn known(v: &mut Validator<'_, '_>, name: &str, all: &[&'static str], at: &Trail<'_>) {
    if all.contains(&name) {
        return;
    }
    let hint = match nearest(name, all.iter().copied()) {
        Some(known) => format!("did you mean {known:?}?"),
        None if name.starts_with("TLS_") => "those of TLS 1.3 are always on and cannot be chosen".to_owned(),
        None => format!("it is one of {}", all.join(", ")),
    };
    v.error_hint(at, format!("Envoy does not know {name:?}"), hint);
}
