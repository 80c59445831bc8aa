//! What an OpenBao is started with.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::{Config, Tls};
use super::node::Node;
use super::{Bao, ROOT_TOKEN};
use crate::certificates::{Authority, Identity};
use crate::directory::TempDir;
use crate::http::ClientTls;

/// Options of an OpenBao, see [`Bao::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    root_token: String,
    data: bool,
    standbys: usize,
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
        Self { name: "bao".into(), root_token: ROOT_TOKEN.into(), data: false, standbys: 0, tls: None }
    }
}

impl Builder {
    /// Names it: two in one test's directory each need a name of their own.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The token that may do everything.
    #[must_use]
    pub fn root_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.root_token);
        self
    }

    /// Keeps its data over restarts, and can step down.
    #[must_use]
    pub fn data(mut self, data: bool) -> Self {
        self.data = data;
        self
    }

    /// So many nodes besides the first, all with data. With two, one may be lost.
    #[must_use]
    pub fn standbys(mut self, standbys: usize) -> Self {
        self.standbys = standbys;
        self.data |= standbys > 0;
        self
    }

    /// Serves HTTPS, with a certificate of this authority for `localhost` and 127.0.0.1. Clients may show certificates,
    /// which the login by certificate judges.
    #[must_use]
    pub fn tls(self, authority: &Authority) -> Self {
        self.encrypted(authority, None)
    }

    /// Serves HTTPS, and takes only clients that show a certificate of the same authority.
    #[must_use]
    pub fn mutual_tls(self, authority: &Authority) -> Self {
        let client = authority.issue(&["client"]);
        self.encrypted(authority, Some(client))
    }

    /// Starts it, opens it, and waits until it takes writes.
    pub async fn start(self, directory: &TempDir) -> Bao {
        let folder = directory.folder(&self.name);
        let tls = self.tls.as_ref().map(Encryption::client);
        let start = |config| Node::start(config, tls.clone(), &folder, directory.path());
        let mut bao = Bao {
            nodes: self.configs(&folder).into_iter().map(start).collect(),
            root_token: self.root_token,
            tls: tls.clone(),
            directory: directory.path().to_owned(),
            key: None,
        };
        for node in &mut bao.nodes {
            node.answers().await;
        }
        bao.unseal().await;
        bao
    }

    fn configs(&self, folder: &Path) -> Vec<Config> {
        let tls = self.tls.as_ref().map(|tls| tls.write(folder));
        let name = |number| match number {
            0 => self.name.clone(),
            number => format!("{}-standby-{number}", self.name),
        };
        let config = |number| Config::new(&name(number), self.data, tls.clone());
        let mut configs: Vec<Config> = (0..=self.standbys).map(config).collect();
        let addresses: Vec<_> = configs.iter().map(Config::address).collect();
        for config in &mut configs {
            let own = config.address();
            config.others = addresses.iter().copied().filter(|address| *address != own).collect();
        }
        configs
    }

    fn encrypted(mut self, authority: &Authority, client: Option<Identity>) -> Self {
        let identity = authority.issue(&["localhost", "127.0.0.1"]);
        self.tls = Some(Encryption { authority: authority.certificate().to_owned(), identity, client });
        self
    }
}

impl Encryption {
    fn client(&self) -> ClientTls {
        ClientTls { identity: self.client.clone(), ..ClientTls::trusting(&self.authority) }
    }

    fn write(&self, folder: &Path) -> Tls {
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            fs::write(&path, text).expect("the temporary directory is writable");
            path
        };
        Tls {
            authority: write("authority.pem", &self.authority),
            certificate: write("certificate.pem", &self.identity.certificate),
            key: write("key.pem", &self.identity.key),
            mutual: self.client.is_some(),
        }
    }
}
