//! Authorities, certificates and names for the HTTP client.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, ClientBuilder, Identity};

use crate::error::Error;
use crate::settings::TlsSettings;

/// The builder with everything that TLS needs.
pub(crate) fn configure(mut builder: ClientBuilder, tls: &TlsSettings) -> Result<ClientBuilder, Error> {
    let authorities = authorities(tls)?;
    if !authorities.is_empty() {
        builder = builder.tls_certs_only(authorities);
    }
    if let Some(identity) = identity(tls)? {
        builder = builder.identity(identity);
    }
    Ok(builder.tls_danger_accept_invalid_certs(!tls.verify))
}

fn authorities(tls: &TlsSettings) -> Result<Vec<Certificate>, Error> {
    let mut authorities = Vec::new();
    if let Some(path) = &tls.authority {
        authorities.extend(bundle(path)?);
    }
    if let Some(directory) = &tls.authorities {
        let entries = fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
        for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
            authorities.extend(bundle(&entry.path())?);
        }
    }
    Ok(authorities)
}

fn bundle(path: &Path) -> Result<Vec<Certificate>, Error> {
    Certificate::from_pem_bundle(&read(path)?)
        .map_err(|_| Error::invalid(format!("{} holds no certificates in PEM", path.display())))
}

fn identity(tls: &TlsSettings) -> Result<Option<Identity>, Error> {
    let (certificate, key) = match (&tls.certificate, &tls.key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => {
            return Err(Error::invalid(
                "a client certificate and its key go together: one of them is missing",
            ));
        }
    };
    let pem = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
    // The error's own words may show a part of the key.
    Identity::from_pem(&pem).map(Some).map_err(|_| {
        let (certificate, key) = (certificate.display(), key.display());
        Error::invalid(format!("{certificate} and {key} are no certificate and key in PEM"))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid(format!("{} cannot be read: {error}", path.display()))
}

/// Answers every name with the addresses of one host: the certificate bears another name than the address.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    host: Arc<str>,
    port: u16,
}

impl Elsewhere {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        let (host, port) = (self.host.clone(), self.port);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((&*host, port)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
