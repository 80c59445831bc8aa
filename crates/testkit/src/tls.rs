//! rustls configurations from PEM texts. The provider is named each time: no process-wide default to fight over.

mod trust;

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::certificates::Identity;
use crate::http::ClientTls;
pub(crate) use trust::Staple;

/// A server that shows `identity`, and asks for a certificate of `client_authority` if there is one.
pub(crate) fn server(
    identity: &Identity,
    client_authority: Option<&str>,
    alpn: &[&str],
) -> Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match client_authority {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider()).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain(identity)?, key(identity)?)?;
    config.alpn_protocols = protocols(alpn);
    Ok(Arc::new(config))
}

/// A client, and where the OCSP response that it gets will be.
pub(crate) fn client(tls: &ClientTls, alpn: &[&str]) -> Result<(Arc<ClientConfig>, Staple)> {
    let trust = trust::Trust::new(&tls.authority, tls.keys)?;
    let staple = trust.staple();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust));
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_auth_cert(chain(identity)?, key(identity)?)?,
    };
    config.alpn_protocols = protocols(alpn);
    Ok((Arc::new(config), staple))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(pem: &str) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        store.add(certificate.context("the authority's PEM")?)?;
    }
    Ok(store)
}

fn chain(identity: &Identity) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
    certificates.collect::<Result<_, _>>().context("the certificate's PEM")
}

fn key(identity: &Identity) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).context("the key's PEM")
}

fn protocols(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}
