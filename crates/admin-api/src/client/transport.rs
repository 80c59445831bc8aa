//! Bytes to and from the API: TCP, TLS or a socket file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::options::{ClientOptions, Identity};

/// A connection, however it is made.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How connections are made.
#[derive(Clone)]
pub(super) struct Transport {
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Transport {
    /// Without TLS.
    pub(super) const fn plain(address: Address) -> Self {
        Self { address, tls: None }
    }

    /// With TLS where the address says so; reads the certificates.
    pub(super) fn open(options: &ClientOptions) -> io::Result<Self> {
        let tls = match &options.address {
            Address::Tcp { host, tls: true, .. } => Some((connector(options)?, server_name(host)?)),
            _ => None,
        };
        Ok(Self { address: options.address.clone(), tls })
    }

    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match (&self.address, &self.tls) {
            (Address::Unix(path), _) => Ok(Box::new(UnixStream::connect(path).await?)),
            (Address::Tcp { host, port, .. }, None) => {
                Ok(Box::new(TcpStream::connect((host.as_str(), *port)).await?))
            }
            (Address::Tcp { host, port, .. }, Some((connector, name))) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                Ok(Box::new(connector.connect(name.clone(), stream).await?))
            }
        }
    }
}

fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).map_err(io::Error::other)
}

fn connector(options: &ClientOptions) -> io::Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots(options.ca_file.as_deref())?);
    let config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(Identity { cert_file, key_file }) => {
            let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| unreadable(key_file, &error))?;
            builder.with_client_auth_cert(certificates(cert_file)?, key).map_err(io::Error::other)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(ca_file: Option<&Path>) -> io::Result<RootCertStore> {
    let trusted = match ca_file {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(trusted);
    if added == 0 {
        return Err(io::Error::other("there is no certificate authority to trust: name a file with one"));
    }
    Ok(roots)
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> io::Error {
    io::Error::other(format!("{} cannot be read: {error}", path.display()))
}
