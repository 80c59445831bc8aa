//! Certificates and keys in PEM, and the configuration that they make. No error ever quotes what a file holds.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

/// The largest file that is read.
const LARGEST: u64 = 1024 * 1024;

/// Where certificates are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate and what stands between it and its authority.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority of the clients' certificates; none: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
}

/// What of a client that shows no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// It gets no connection.
    MustShow,
    /// It gets one: it may have a token.
    MayShow,
}

/// Certificates and a key, as texts.
pub struct Pem {
    /// The server's certificate, and where it is from.
    pub cert: Part,
    /// Its key.
    pub key: Part,
    /// The authority of the clients' certificates.
    pub client_ca: Option<Part>,
}

/// A text, and where it is from.
pub type Part = (String, Vec<u8>);

/// Why there is no TLS with this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} cannot be used for TLS: {why}")]
pub struct TlsError {
    /// The file, or the secret.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

/// What was made of a text.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Arc<ServerConfig>,
    /// Judges certificates of clients.
    pub(crate) verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl TlsFiles {
    /// All files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.cert, &self.key].into_iter().chain(&self.client_ca).map(PathBuf::as_path)
    }

    pub(crate) fn read(&self) -> Result<Pem, TlsError> {
        let client_ca = self.client_ca.as_deref().map(read).transpose()?;
        Ok(Pem { cert: read(&self.cert)?, key: read(&self.key)?, client_ca })
    }
}

fn read(path: &Path) -> Result<Part, TlsError> {
    let place = path.display().to_string();
    let unreadable = |why: String| TlsError { place: place.clone(), why };
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > LARGEST {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    Ok((place, text))
}

impl Loaded {
    pub(crate) fn new(pem: &Pem, clients: Clients, alpn: &[&str]) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = pem.client_ca.as_ref().map(|ca| verifier(ca, clients, &provider)).transpose()?;
        let (place, key) = &pem.key;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong(place, "it holds no key in PEM"))?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(place, error))?;
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
            None => builder.with_no_client_auth(),
        };
        let chain = certificates(&pem.cert)?;
        let mut config = builder.with_single_cert(chain, key).map_err(|error| wrong(&pem.cert.0, error))?;
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { config: Arc::new(config), verifier })
    }
}

fn verifier(
    ca: &Part,
    clients: Clients,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|error| wrong(&ca.0, error))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match clients {
        Clients::MustShow => builder,
        Clients::MayShow => builder.allow_unauthenticated(),
    };
    let verifier = builder.build().map_err(|error| wrong(&ca.0, error))?;
    Ok(verifier)
}

/// At least one, or the text is not what it is taken for.
fn certificates((place, text): &Part) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = read.map_err(|_| wrong(place, "its PEM is malformed"))?;
    if certificates.is_empty() {
        return Err(wrong(place, "it holds no certificate in PEM"));
    }
    Ok(certificates)
}

fn wrong(place: &str, why: impl fmt::Display) -> TlsError {
    TlsError { place: place.to_owned(), why: why.to_string() }
}

/// Places only.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").field("cert", &self.cert.0).field("key", &self.key.0).finish_non_exhaustive()
    }
}
