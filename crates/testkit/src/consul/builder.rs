//! What a Consul is started with.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::{Config, Limits, Tls};
use super::node::Node;
use super::{Access, Consul, MANAGEMENT_TOKEN};
use crate::certificates::{Authority, Identity};
use crate::directory::TempDir;
use crate::http::ClientTls;

/// Options of a Consul, see [`Consul::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    datacenter: String,
    data: bool,
    acl: bool,
    agent: bool,
    socket: bool,
    key_list_policy: bool,
    limits: Option<Limits>,
    tls: Option<Encryption>,
    wan: Option<u16>,
    mesh: bool,
    connections: Option<u32>,
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
        Self {
            name: "consul".into(),
            datacenter: "dc1".into(),
            data: false,
            acl: false,
            agent: false,
            socket: false,
            key_list_policy: false,
            limits: None,
            tls: None,
            wan: None,
            mesh: false,
            connections: None,
        }
    }
}

impl Builder {
    /// Names it: two in one test's directory each need a name of their own.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Keeps its data over restarts: a server with a data directory, not a development agent.
    #[must_use]
    pub fn server_with_data(mut self, data: bool) -> Self {
        self.data = data;
        self
    }

    /// Denies what no token allows. [`MANAGEMENT_TOKEN`] allows everything.
    #[must_use]
    pub fn acl(mut self, acl: bool) -> Self {
        self.acl = acl;
        self
    }

    /// With ACLs: refuses to list a prefix without the `list` right on it, instead of leaving keys out.
    #[must_use]
    pub fn key_list_policy(mut self, enabled: bool) -> Self {
        self.key_list_policy = enabled;
        self
    }

    /// Starts a client agent in front of the server, as every machine of a fleet has one.
    #[must_use]
    pub fn client_agent(mut self, agent: bool) -> Self {
        self.agent = agent;
        self
    }

    /// Listens on a Unix socket too.
    #[must_use]
    pub fn unix_socket(mut self, socket: bool) -> Self {
        self.socket = socket;
        self
    }

    /// Names its datacenter.
    #[must_use]
    pub fn datacenter(mut self, datacenter: &str) -> Self {
        datacenter.clone_into(&mut self.datacenter);
        self
    }

    /// Takes so many connections from one client; Consul's own limit is 200.
    #[must_use]
    pub fn connections(mut self, most: u32) -> Self {
        self.connections = Some(most);
        self
    }

    /// Switches on the service mesh: it has a trust domain, and issues certificates.
    #[must_use]
    pub fn mesh(mut self, mesh: bool) -> Self {
        self.mesh = mesh;
        self
    }

    /// Meets another datacenter, so that each answers for both.
    #[must_use]
    pub fn joined_to(mut self, other: &Consul) -> Self {
        self.wan = Some(other.wan_port());
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

    /// Answers 429 to reads and writes beyond so many a second. It counts what a client agent passes on, so it
    /// starts one.
    #[must_use]
    pub fn rate_limit(mut self, reads: u32, writes: u32) -> Self {
        self.limits = Some(Limits { reads, writes });
        self.agent = true;
        self
    }

    /// Starts it, and waits until it takes writes.
    pub async fn start(self, directory: &TempDir) -> Consul {
        let folder = directory.folder(&self.name);
        let socket = self.socket.then(|| folder.join("http.sock"));
        let mut server = self.config(&folder);
        // Where there is an agent it is the agent's socket.
        server.socket = socket.clone().filter(|_| !self.agent);
        let agent = self.agent.then(|| server.agent(&format!("{}-agent", self.name), socket.clone()));
        let start = |config| Node::start(config, &folder, directory.path());
        let mut consul = Consul {
            server: start(server),
            agent: agent.map(start),
            access: self.access(),
            directory: directory.path().to_owned(),
            socket,
        };
        consul.ready().await;
        consul
    }

    fn config(&self, folder: &Path) -> Config {
        let mut config = Config::new(&self.name, &self.datacenter);
        config.data = self.data;
        config.token = self.acl.then_some(MANAGEMENT_TOKEN);
        config.key_list_policy = self.key_list_policy;
        config.limits = self.limits;
        config.wan = self.wan;
        config.mesh = self.mesh;
        config.connections = self.connections;
        config.tls = self.tls.as_ref().map(|tls| tls.write(folder));
        config
    }

    fn access(&self) -> Access {
        let tls = self
            .tls
            .as_ref()
            .map(|tls| ClientTls { identity: tls.client.clone(), ..ClientTls::trusting(&tls.authority) });
        Access { tls, token: self.acl.then_some(MANAGEMENT_TOKEN) }
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
        Tls {
            authority: write("authority.pem", &self.authority),
            certificate: write("certificate.pem", &self.identity.certificate),
            key: write("key.pem", &self.identity.key),
            mutual: self.client.is_some(),
        }
    }
}
