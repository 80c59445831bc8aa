//! How etcdctl gets in: scheme, certificates, the root user.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::certificates::{Authority, Identity};

/// The user who may do everything, where there are users.
pub const ROOT_USER: &str = "root";

/// That user's password.
pub const ROOT_PASSWORD: &str = "the-root-password";

/// How clients get in.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    pub(super) tls: Option<Tls>,
    /// Whether users are asked for.
    pub(super) users: bool,
}

/// The files of an etcd with TLS.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    /// Whether clients must show a certificate.
    mutual: bool,
}

impl Tls {
    /// Writes the files. One identity serves the members and, where they ask for one, etcdctl.
    pub(super) fn new(authority: &str, identity: &Identity, mutual: bool, folder: &Path) -> Self {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("the temporary directory is writable");
            path
        };
        Self {
            authority: write("authority.pem", authority),
            certificate: write("certificate.pem", &identity.certificate),
            key: write("key.pem", &identity.key),
            mutual,
        }
    }

    /// The server's certificate for loopback.
    pub(super) fn identity(authority: &Authority) -> Identity {
        authority.issue(&["localhost", "127.0.0.1"])
    }

    /// What a member is told.
    pub(super) fn server_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--cert-file={}", self.certificate.display()),
            format!("--key-file={}", self.key.display()),
        ];
        if self.mutual {
            arguments.push("--client-cert-auth=true".into());
            arguments.push(format!("--trusted-ca-file={}", self.authority.display()));
        }
        arguments
    }
}

impl Access {
    /// A member's URL.
    pub(super) fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// What etcdctl is told, apart from who asks.
    pub(super) fn arguments(&self) -> Vec<String> {
        let Some(tls) = &self.tls else { return Vec::new() };
        let mut arguments = vec![format!("--cacert={}", tls.authority.display())];
        if tls.mutual {
            arguments.push(format!("--cert={}", tls.certificate.display()));
            arguments.push(format!("--key={}", tls.key.display()));
        }
        arguments
    }

    /// Who asks, where there are users.
    pub(super) fn root(&self) -> Option<String> {
        self.users.then(|| format!("--user={ROOT_USER}:{ROOT_PASSWORD}"))
    }
}
