//! Whom a client trusts: an authority, or a self-signed server by its very certificate.
//!
//! rustls refuses an authority's certificate as a server's. People make such ones all the same (`openssl req -x509`
//! does) and their clients take them, so this one does too. Names are checked either way.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::http::Keys;

/// The certificates that a client trusts.
#[derive(Debug)]
pub(super) struct Trust {
    certificates: Vec<CertificateDer<'static>>,
    authorities: Arc<WebPkiServerVerifier>,
    keys: Keys,
    staple: Staple,
}

/// The OCSP response of the last handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Staple(Arc<Mutex<Option<Vec<u8>>>>);

impl Staple {
    /// Takes it out.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().expect("nobody panics with it").take()
    }

    fn put(&self, response: &[u8]) {
        let response = (!response.is_empty()).then(|| response.to_vec());
        *self.0.lock().expect("nobody panics with it") = response;
    }
}

impl Trust {
    /// Trusts the certificates of a PEM text.
    pub(super) fn new(pem: &str, keys: Keys) -> Result<Self> {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(super::roots(pem)?), super::provider())
                .build()?;
        Ok(Self { certificates, authorities, keys, staple: Staple::default() })
    }

    /// Where the OCSP response will be.
    pub(super) fn staple(&self) -> Staple {
        self.staple.clone()
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.staple.put(ocsp);
        if self.certificates.iter().any(|trusted| trusted == shown) {
            verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities.verify_server_cert(shown, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.authorities.supported_verify_schemes();
        if self.keys == Keys::Rsa {
            schemes.retain(|scheme| is_rsa(*scheme));
        }
        schemes
    }
}

const fn is_rsa(scheme: SignatureScheme) -> bool {
    use SignatureScheme as Scheme;
    matches!(
        scheme,
        Scheme::RSA_PKCS1_SHA256
            | Scheme::RSA_PKCS1_SHA384
            | Scheme::RSA_PKCS1_SHA512
            | Scheme::RSA_PSS_SHA256
            | Scheme::RSA_PSS_SHA384
            | Scheme::RSA_PSS_SHA512
    )
}
