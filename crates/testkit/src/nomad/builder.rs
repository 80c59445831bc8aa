//! What a Nomad is started with.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::{Config, Role, Tls};
use super::{Nomad, job, spawn};
use crate::certificates::{Authority, Identity};
use crate::directory::TempDir;
use crate::http::ClientTls;

/// Options of a Nomad, see [`Nomad::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    config: Config,
    tls: Option<Encryption>,
}

#[derive(Debug, Clone)]
struct Encryption {
    authority: String,
    identity: Identity,
    /// What clients must show, if they must.
    client: Option<Identity>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { config: Config::new("nomad"), tls: None }
    }
}

impl Builder {
    /// Names it: two in one test's directory each need a name of their own.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.config.name);
        self
    }

    /// A server that runs no tasks, as it is in production.
    #[must_use]
    pub fn server(mut self) -> Self {
        self.config.role = Role::Server;
        self
    }

    /// A node of this server.
    #[must_use]
    pub fn client_of(mut self, server: &Nomad) -> Self {
        self.config.role = Role::Client { of: server.config.ports.rpc };
        self.config.acl = server.config.acl;
        self
    }

    /// Denies what no token allows. [`MANAGEMENT_TOKEN`](super::MANAGEMENT_TOKEN) allows everything.
    #[must_use]
    pub fn acl(mut self, acl: bool) -> Self {
        self.config.acl = acl;
        self
    }

    /// Without a stream of events, as an operator may have it.
    #[must_use]
    pub fn without_events(mut self) -> Self {
        self.config.events = false;
        self
    }

    /// Names its region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.config.region);
        self
    }

    /// Serves HTTPS, with a certificate of this authority for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn tls(self, authority: &Authority) -> Self {
        self.encrypted(authority, None)
    }

    /// Serves HTTPS, and asks clients for a certificate of the same authority.
    #[must_use]
    pub fn mutual_tls(self, authority: &Authority) -> Self {
        let client = authority.issue(&["client"]);
        self.encrypted(authority, Some(client))
    }

    /// Starts it, and waits until it places allocations, or has a leader if it runs no tasks.
    pub async fn start(self, directory: &TempDir) -> Nomad {
        let folder = directory.folder(&self.config.name);
        job::prepare(&folder);
        let mut config = self.config;
        config.tls = self.tls.as_ref().map(|tls| tls.write(&folder));
        let tls =
            self.tls.map(|tls| ClientTls { identity: tls.client, ..ClientTls::trusting(&tls.authority) });
        let process = spawn(&config, &folder, directory.path());
        let directory = directory.path().to_owned();
        let mut nomad = Nomad { process, config, folder, directory, tls, runs: true };
        nomad.ready().await;
        nomad
    }

    fn encrypted(mut self, authority: &Authority, client: Option<Identity>) -> Self {
        let identity = authority.issue(&["localhost", "127.0.0.1"]);
        self.tls = Some(Encryption { authority: authority.certificate().to_owned(), identity, client });
        self
    }
}

impl Encryption {
    fn write(&self, folder: &Path) -> Tls {
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            fs::write(&path, text).expect("the temporary directory is writable");
            path
        };
        let authority = write("authority.pem", &self.authority);
        let certificate = write("certificate.pem", &self.identity.certificate);
        Tls::new(authority, certificate, write("key.pem", &self.identity.key), self.client.is_some())
    }
}
