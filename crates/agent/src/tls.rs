//! Whom a connection trusts, what it shows, and which name it expects.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, ClientBuilder, Identity};
use zeroize::Zeroizing;

use crate::parameters::Parameters;
use crate::setting::{SettingError, truth};

/// The files of an encrypted connection, in PEM. They are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The authorities to trust; `None` here and below: those of the system.
    pub ca_file: Option<PathBuf>,
    /// A directory of such files.
    pub ca_path: Option<PathBuf>,
    /// The certificate to show.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate has, if it is not the address's: `server.global.nomad`.
    pub server_name: Option<String>,
    /// Whether the server's certificate is looked at.
    pub verify: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca_file: None,
            ca_path: None,
            cert_file: None,
            key_file: None,
            server_name: None,
            verify: true,
        }
    }
}

/// A file that is of no use, by its path and without its content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not there, or not for us.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// It has no authorities in it.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// What was to be shown is not there, is damaged, or does not fit together.
    #[error("{} and {} are no certificate with its key", certificate.display(), key.display())]
    NoIdentity {
        /// Which.
        certificate: PathBuf,
        /// The same, or another one.
        key: PathBuf,
    },
}

impl Tls {
    /// What a URL says with `caFile`, `caPath`, `certFile`, `keyFile`, `tlsServerName` and `insecure`, and where it says
    /// nothing what `environment` does.
    pub fn from_url(parameters: &mut Parameters, environment: Self) -> Result<Self, SettingError> {
        let insecure = parameters.take("insecure").map(|text| truth("insecure", &text)).transpose()?;
        Ok(Self {
            ca_file: parameters.take_path("caFile").or(environment.ca_file),
            ca_path: parameters.take_path("caPath").or(environment.ca_path),
            cert_file: parameters.take_path("certFile").or(environment.cert_file),
            key_file: parameters.take_path("keyFile").or(environment.key_file),
            server_name: parameters.take("tlsServerName").or(environment.server_name),
            verify: insecure.map_or(environment.verify, |insecure| !insecure),
        })
    }

    /// The builder with everything that TLS needs, for a server at this place.
    pub(crate) fn configure(
        &self,
        mut builder: ClientBuilder,
        host: &str,
        port: u16,
    ) -> Result<ClientBuilder, TlsError> {
        let authorities = self.authorities()?;
        if !authorities.is_empty() {
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(identity) = self.identity()? {
            builder = builder.identity(identity);
        }
        if self.server_name.is_some() {
            builder = builder.dns_resolver(Elsewhere { host: host.into(), port });
        }
        Ok(builder.tls_danger_accept_invalid_certs(!self.verify))
    }

    /// When the files were last changed.
    pub(crate) fn stamps(&self) -> Vec<Option<SystemTime>> {
        let modified = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
        let files = [&self.ca_file, &self.ca_path, &self.cert_file, &self.key_file];
        files.into_iter().flatten().map(modified).collect()
    }

    fn authorities(&self) -> Result<Vec<Certificate>, TlsError> {
        let mut files: Vec<PathBuf> = self.ca_file.iter().cloned().collect();
        if let Some(directory) = &self.ca_path {
            let entries = fs::read_dir(directory).map_err(|reason| unreadable(directory, reason))?;
            files.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
        }
        let mut found = Vec::new();
        for path in files {
            let bundle = Certificate::from_pem_bundle(&read(&path)?).ok();
            // Nobody in particular would mean everybody whom the system trusts.
            let bundle = bundle.filter(|bundle| !bundle.is_empty());
            found.extend(bundle.ok_or(TlsError::NoCertificate { path })?);
        }
        Ok(found)
    }

    fn identity(&self) -> Result<Option<Identity>, TlsError> {
        let (certificate, key) = match (&self.cert_file, &self.key_file) {
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
        Identity::from_pem(&pem)
            .map(Some)
            .map_err(|_| TlsError::NoIdentity { certificate: certificate.clone(), key: key.clone() })
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    fs::read(path).map(Zeroizing::new).map_err(|reason| unreadable(path, reason))
}

fn unreadable(path: &Path, reason: std::io::Error) -> TlsError {
    TlsError::Unreadable { path: path.to_owned(), reason }
}

/// Answers every name with the addresses of one host: the certificate bears another name than the address.
#[derive(Debug)]
struct Elsewhere {
    host: Arc<str>,
    port: u16,
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

#[cfg(test)]
mod tests {
    use biplane_testkit::Authority;
    use tempfile::TempDir;

    use super::*;
    use crate::parameters::Known;

    fn directory() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn write(directory: &TempDir, name: &str, text: &str) -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("write");
        path
    }

    #[test]
    fn authorities_come_from_a_file_and_from_a_directory_of_files() {
        let (one, many) = (directory(), directory());
        fs::create_dir(many.path().join("folder")).expect("a folder, which is no file");
        let [a, b, c] = ["a", "b", "c"].map(|name| Authority::new(name).certificate().to_owned());
        write(&many, "b.pem", &b);
        write(&many, "c.pem", &format!("{c}\n{a}"));
        let ca_path = Some(many.path().to_owned());
        let tls = Tls { ca_file: Some(write(&one, "a.pem", &a)), ca_path, ..Tls::default() };
        assert_eq!(tls.authorities().expect("they are good").len(), 4);
        assert_eq!(Tls::default().authorities().expect("those of the system").len(), 0);
    }

    #[test]
    fn a_file_without_a_certificate_is_not_taken_for_trust_in_everybody() {
        let directory = directory();
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"] {
            let tls = Tls { ca_file: Some(write(&directory, "ca.pem", text)), ..Tls::default() };
            let error = tls.authorities().expect_err(text).to_string();
            assert!(error.ends_with("ca.pem holds no certificate"), "{error}");
        }
    }

    #[test]
    fn one_file_may_hold_a_certificate_and_its_key() {
        let directory = directory();
        let issued = Authority::new("a").issue(&["biplane"]);
        let certificate = write(&directory, "cert.pem", issued.certificate.trim_end());
        let key = write(&directory, "key.pem", &issued.key);
        let both = write(&directory, "both.pem", &format!("{}\n{}", issued.certificate, issued.key));
        for (cert_file, key_file) in [
            (Some(certificate.clone()), Some(key.clone())),
            (Some(both.clone()), None),
            (None, Some(both.clone())),
            (Some(both.clone()), Some(both)),
        ] {
            let tls = Tls { cert_file, key_file, ..Tls::default() };
            assert!(tls.identity().expect("they fit").is_some(), "{tls:?}");
        }
        let half = Tls { cert_file: Some(certificate), ..Tls::default() };
        assert!(matches!(half.identity(), Err(TlsError::NoIdentity { .. })));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_path_and_without_the_key() {
        let directory = directory();
        let key = write(&directory, "key.pem", "-----BEGIN PRIVATE KEY-----\nhunter2\n");
        let tls = Tls { cert_file: Some(key.clone()), key_file: Some(key), ..Tls::default() };
        let error = tls.identity().map(drop).expect_err("no key");
        assert!(!format!("{error:?}").contains("hunter2") && error.to_string().contains("key.pem"));
        let missing = Tls { ca_path: Some("/nowhere".into()), ..Tls::default() };
        let error = missing.authorities().map(drop).expect_err("no directory").to_string();
        assert!(error.starts_with("/nowhere cannot be read"), "{error}");
    }

    #[test]
    fn a_url_wins_over_the_environment() {
        static KNOWN: Known = Known {
            names: &["caFile", "caPath", "certFile", "keyFile", "tlsServerName", "insecure"],
            secrets: &[],
        };
        let environment = || Tls {
            ca_file: Some("ca".into()),
            key_file: Some("k".into()),
            verify: false,
            ..Tls::default()
        };
        let read =
            |query| Tls::from_url(&mut Parameters::parse(query, &KNOWN).expect("known"), environment());
        assert_eq!(read(""), Ok(environment()));
        let told = read("caFile=a&caPath=b&certFile=c&tlsServerName=d&insecure=false");
        let expected = Tls {
            ca_file: Some("a".into()),
            ca_path: Some("b".into()),
            cert_file: Some("c".into()),
            key_file: Some("k".into()),
            server_name: Some("d".into()),
            verify: true,
        };
        assert_eq!(told, Ok(expected));
        assert!(read("insecure=no").is_err());
    }

    #[test]
    fn stamps_differ_when_a_file_comes_or_goes() {
        let directory = directory();
        let path = directory.path().join("ca.pem");
        let tls = Tls { ca_file: Some(path), ..Tls::default() };
        let before = tls.stamps();
        write(&directory, "ca.pem", "");
        assert_ne!(tls.stamps(), before);
    }
}
