//! Secrets: key material and values as Envoy takes them.
//!
//! ```text
//! tls            one Envoy Secret for the certificate, one for the roots
//! aws, azure     none: they are for Biplane itself
//! all others     one generic Secret for each value; of headers, a cluster that subscribes to them
//! not known yet  none; which there may be is said
//! ```
//!
//! They are made whether or not something names them; a fleet gets those that something in it names. Nothing here
//! is ever printed: Envoy's messages show their content in their `Debug` form, so they leave this file only as
//! encoded bytes.

mod credentials;
mod generic;
mod staple;
mod subscription;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;
use biplane_core::resources::secret::TlsSecret;
use biplane_core::resources::tls::SslFiles;
use biplane_core::scalars::SecretString;
use envoy_types::pb::envoy::config::core::v3::DataSource;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret as EnvoySecret, TlsCertificate,
};

use zeroize::Zeroize as _;

use crate::names;
use crate::resource::{EnvoyName, EnvoyResource, EnvoyType, Output, Unknown};
pub(crate) use credentials::{clients, has_users, users};

/// What to say about a secret that is kept elsewhere and has not come yet.
pub(crate) const UNKNOWN_HINT: &str = "it comes as soon as its source answers";

/// The Envoy secrets of a `Secret` object: `<ref>/certificate` and `<ref>/validation`, or `<ref>/<value>`, as far
/// as it has the parts for them.
pub fn translate(name: &ResourceRef, secret: &Secret) -> Output {
    if !secret.is_known() {
        return Output { unknown: unknown(name), ..Output::default() };
    }
    let key = name.key(Kind::Secret);
    let Some(tls) = &secret.tls else { return generic::translate(name, secret, &key) };
    let mut reports = incomplete(&key, tls);
    let mut resources = Vec::new();
    if has_certificate(tls) {
        let certificate = certificate(tls, &key, &mut reports);
        resources.push(resource(names::secret_certificate(name), Type::TlsCertificate(certificate), &key));
    }
    if let Some(root) = given(tls.root_ca.as_ref()) {
        let validation = Type::ValidationContext(roots(inline(root)));
        resources.push(resource(names::secret_validation(name), validation, &key));
    }
    Output { resources, reports, ..Output::default() }
}

/// What may come of a secret whose values have not come yet. Values by name are not among it: nobody knows their names.
fn unknown(name: &ResourceRef) -> Vec<Unknown> {
    let names = key_material(name).chain([subscription(name)]);
    names.map(|name| Unknown { name, references: Arc::default() }).collect()
}

/// The cluster that subscribes to a secret's headers.
pub(crate) fn subscription(name: &ResourceRef) -> EnvoyName {
    EnvoyName::new(EnvoyType::Cluster, names::secret_subscription(name))
}

/// The Envoy secrets of a certificate and of roots, whether or not the object has both.
pub(crate) fn key_material(name: &ResourceRef) -> impl Iterator<Item = EnvoyName> + use<> {
    let names = [names::secret_certificate(name), names::secret_validation(name)];
    names.into_iter().map(|name| EnvoyName::new(EnvoyType::Secret, name))
}

/// Whether there are both a certificate and its key.
pub(crate) fn has_certificate(tls: &TlsSecret) -> bool {
    given(tls.cert_chain.as_ref()).is_some() && tls.private_key.as_ref().is_some_and(|key| !key.is_empty())
}

/// Whether there is a root to verify peers by.
pub(crate) fn has_root(tls: &TlsSecret) -> bool {
    given(tls.root_ca.as_ref()).is_some()
}

/// Whether there is something to staple, good or bad.
pub(crate) fn has_staple(tls: &TlsSecret) -> bool {
    given(tls.ocsp_staple.as_ref()).is_some()
}

/// The Envoy secrets that read `files` on Envoy's machine. Envoy follows a file that is replaced by a rename.
///
/// Objects that name the same files make the same secrets: equal names, equal bytes.
pub fn files(files: &SslFiles, origin: &ObjectKey) -> Vec<EnvoyResource> {
    let certificate = certificate_file_name(files).map(|name| {
        let certificate = TlsCertificate {
            certificate_chain: files.tls_cert.as_deref().map(filename),
            private_key: files.tls_key.as_deref().map(filename),
            ocsp_staple: given(files.ocsp_staple.as_ref()).map(filename),
            ..TlsCertificate::default()
        };
        resource(name, Type::TlsCertificate(certificate), origin)
    });
    let validation = root_file_name(files)
        .zip(files.root_ca.as_deref())
        .map(|(name, root)| resource(name, Type::ValidationContext(roots(filename(root))), origin));
    certificate.into_iter().chain(validation).collect()
}

/// `file:<certificate>:<key>[:<staple>]`, the name of the Envoy secret of a certificate in files, if both
/// are given.
pub(crate) fn certificate_file_name(files: &SslFiles) -> Option<String> {
    let (certificate, key) = given(files.tls_cert.as_ref()).zip(given(files.tls_key.as_ref()))?;
    let parts = [certificate, key].into_iter().chain(given(files.ocsp_staple.as_ref()));
    Some(parts.fold("file".to_owned(), |name, part| name + ":" + &escaped(part)))
}

/// `file-root:<root>`, the name of the Envoy secret of roots in a file.
pub(crate) fn root_file_name(files: &SslFiles) -> Option<String> {
    given(files.root_ca.as_ref()).map(|root| format!("file-root:{}", escaped(root)))
}

/// A path without the colon that joins paths: no two lists of files get one name.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace(':', "%3A")
}

/// A line break behind a value is not part of it: files end with one.
fn trimmed(value: &SecretString) -> &str {
    value.expose().trim_end_matches(['\r', '\n'])
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Half a pair is a mistake that would show only in the handshake of whoever uses it.
fn incomplete(key: &ObjectKey, tls: &TlsSecret) -> Vec<Report> {
    let path = FieldPath::root().field("tls");
    let certificate = given(tls.cert_chain.as_ref()).is_some();
    let private_key = tls.private_key.as_ref().is_some_and(|key| !key.is_empty());
    let missing = match (certificate, private_key) {
        (true, false) => "certChain without privateKey",
        (false, true) => "privateKey without certChain",
        _ => return Vec::new(),
    };
    vec![Report::error(key, path, missing).hint("give both, or only rootCa")]
}

fn certificate(tls: &TlsSecret, key: &ObjectKey, reports: &mut Vec<Report>) -> TlsCertificate {
    TlsCertificate {
        certificate_chain: given(tls.cert_chain.as_ref()).map(inline),
        private_key: tls.private_key.as_ref().map(|key| inline(key.expose())),
        ocsp_staple: given(tls.ocsp_staple.as_ref()).and_then(|text| {
            staple(text, tls).map(data).map_err(|why| reports.push(bad_staple(key, why))).ok()
        }),
        ..TlsCertificate::default()
    }
}

fn staple(text: &str, tls: &TlsSecret) -> Result<Vec<u8>, &'static str> {
    let bytes = STANDARD.decode(text.split_ascii_whitespace().collect::<String>());
    let bytes = bytes.map_err(|_| "not base64")?;
    staple::check(&bytes, tls.cert_chain.as_deref().unwrap_or_default())?;
    Ok(bytes)
}

fn bad_staple(key: &ObjectKey, why: &str) -> Report {
    let path = FieldPath::root().field("tls").field("ocspStaple");
    Report::error(key, path, format!("{why}, so nothing is stapled"))
        .hint("a DER-encoded OCSP response for the first certificate of the chain, in base64")
}

fn roots(source: DataSource) -> CertificateValidationContext {
    CertificateValidationContext { trusted_ca: Some(source), ..CertificateValidationContext::default() }
}

fn inline(text: &str) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineString(text.to_owned())), ..DataSource::default() }
}

fn data(bytes: Vec<u8>) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineBytes(bytes)), ..DataSource::default() }
}

fn filename(path: &str) -> DataSource {
    DataSource { specifier: Some(Specifier::Filename(path.to_owned())), ..DataSource::default() }
}

fn resource(name: String, kind: Type, origin: &ObjectKey) -> EnvoyResource {
    let mut message = EnvoySecret { name: name.clone(), r#type: Some(kind) };
    let resource = EnvoyResource::encode(EnvoyType::Secret, name, &message, [], [origin.clone()]);
    wipe(&mut message);
    resource
}

/// Overwrites what a message holds that is secret: it was encoded, and its memory goes to others.
fn wipe(message: &mut EnvoySecret) {
    let source = match &mut message.r#type {
        Some(Type::TlsCertificate(certificate)) => certificate.private_key.as_mut(),
        Some(Type::GenericSecret(generic)) => generic.secret.as_mut(),
        _ => None,
    };
    match source.and_then(|source| source.specifier.as_mut()) {
        Some(Specifier::InlineString(text)) => text.zeroize(),
        Some(Specifier::InlineBytes(bytes)) => bytes.zeroize(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_staple(staple: &str) -> Output {
        let tls = TlsSecret {
            cert_chain: Some("-".to_owned()),
            private_key: Some(SecretString::new("-")),
            ocsp_staple: Some(staple.to_owned()),
            ..TlsSecret::default()
        };
        translate(&ResourceRef::new("default", "s"), &Secret { tls: Some(tls), ..Secret::default() })
    }

    #[test]
    fn secrets_of_different_files_have_different_names() {
        let text = |text: &str| Some(text.to_owned());
        let certificate = |certificate: &str, key: &str, staple: &str| SslFiles {
            tls_cert: text(certificate),
            tls_key: text(key),
            ocsp_staple: text(staple),
            ..SslFiles::default()
        };
        let lists = [
            ("/a", "/b", ""),
            ("/a", "/b", "/c"),
            ("/a:/b", "/c", ""),
            ("/a", "/b:/c", ""),
            ("/a%3A/b", "/c", ""),
        ];
        let mut names: Vec<_> =
            lists.iter().filter_map(|(a, b, c)| certificate_file_name(&certificate(a, b, c))).collect();
        for root in ["/a:/b", "/a%3A/b", "/a"] {
            names.extend(root_file_name(&SslFiles { root_ca: text(root), ..SslFiles::default() }));
        }
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 8, "{names:?}");
        assert_eq!(names[1], "file:/a:/b:/c");
    }

    #[test]
    fn bad_staple_costs_only_itself() {
        let good = with_staple(&STANDARD.encode(staple::tests::response(&[7])));
        assert_eq!((good.resources.len(), good.reports.len()), (1, 0));
        for bad in ["cGxhY2Vob2xkZXI=", "MAMKAQY=", "not base64"] {
            let output = with_staple(bad);
            assert_eq!((output.resources.len(), output.reports.len()), (1, 1), "{bad}");
            assert!(output.resources[0].body.len() < good.resources[0].body.len(), "{bad}");
        }
    }
}
