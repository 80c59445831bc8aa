//! Whom the connection trusts, what it shows, and which name it expects.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use biplane_source::SourceError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, ClientBuilder, Identity};
use zeroize::Zeroizing;

use crate::options::Tls;

/// The builder with everything that TLS needs.
pub(super) fn configure(
    mut builder: ClientBuilder,
    host: &str,
    port: u16,
    tls: &Tls,
) -> Result<ClientBuilder, SourceError> {
    let authorities = authorities(tls)?;
    if !authorities.is_empty() {
        builder = builder.tls_certs_only(authorities);
    }
    if let Some(identity) = identity(tls)? {
        builder = builder.identity(identity);
    }
    if tls.server_name.is_some() {
        builder = builder.dns_resolver(Elsewhere::new(host, port));
    }
    Ok(builder.tls_danger_accept_invalid_certs(!tls.verify))
}

fn authorities(tls: &Tls) -> Result<Vec<Certificate>, SourceError> {
    let mut files: Vec<PathBuf> = tls.ca_file.iter().cloned().collect();
    if let Some(directory) = &tls.ca_path {
        let entries = fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
        files.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    let mut found = Vec::new();
    for file in &files {
        let bundle = Certificate::from_pem_bundle(&read(file)?).ok().filter(|bundle| !bundle.is_empty());
        found.extend(bundle.ok_or_else(|| unfit(&format!("{} holds no certificate", file.display())))?);
    }
    Ok(found)
}

fn identity(tls: &Tls) -> Result<Option<Identity>, SourceError> {
    let (certificate, key) = match (&tls.cert_file, &tls.key_file) {
        (None, None) => return Ok(None),
        // One file may hold both.
        (Some(both), None) | (None, Some(both)) => (both, both),
        (Some(certificate), Some(key)) => (certificate, key),
    };
    let mut pem = Zeroizing::new(Vec::new());
    pem.extend_from_slice(&read(certificate)?);
    if key != certificate {
        pem.push(b'\n');
        pem.extend_from_slice(&read(key)?);
    }
    // The error's own words may show a part of the key.
    Identity::from_pem(&pem).map(Some).map_err(|_| {
        unfit(&format!("{} and {} are no certificate with its key", certificate.display(), key.display()))
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    fs::read(path).map(Zeroizing::new).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> SourceError {
    unfit(&format!("{} cannot be read: {error}", path.display()))
}

fn unfit(what: &str) -> SourceError {
    SourceError::invalid(format!("no TLS with Nomad: {what}")).hint(
        "caFile, caPath, certFile and keyFile in the URL, or NOMAD_CACERT and its like, name files in PEM",
    )
}

/// Answers every name with the addresses of one host: the certificate bears another name than the address.
#[derive(Debug)]
struct Elsewhere {
    host: Arc<str>,
    port: u16,
}

impl Elsewhere {
    fn new(host: &str, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        let (host, port) = (Arc::clone(&self.host), self.port);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((&*host, port)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
