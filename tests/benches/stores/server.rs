//! A real server as operators run it: what it acknowledges is on its disk. Written through its own API, with a
//! client that shares no code with Biplane.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use biplane_testkit::{Consul, Etcd, TempDir, biplane};
use etcd_client::{Client, KvClient};

use crate::watcher::Watcher;
use crate::world::{ROOT, World};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Etcd,
    Consul,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Etcd, Self::Consul];

    /// Its name in URLs and on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Consul => "consul",
        }
    }

    /// The store at an address: the server's, or that of a proxy in front of it.
    pub(crate) fn url(self, address: SocketAddr) -> String {
        format!("{}://{address}/{ROOT}", self.word())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etcd => "etcd",
            Self::Consul => "Consul",
        })
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    running: Running,
}

enum Running {
    Etcd(Box<(Etcd, KvClient)>),
    Consul(Box<Consul>),
}

impl Server {
    /// Starts one that holds a world, marked as Biplane's.
    pub(crate) async fn start(kind: Kind, world: &World, directory: &TempDir) -> Result<Self> {
        let running = match kind {
            Kind::Etcd => {
                let etcd = Etcd::builder().arguments(["--unsafe-no-fsync=false"]).start(directory).await;
                let client = Client::connect(etcd.endpoints(), None).await?.kv_client();
                Running::Etcd(Box::new((etcd, client)))
            }
            Kind::Consul => {
                Running::Consul(Box::new(Consul::builder().server_with_data(true).start(directory).await))
            }
        };
        let server = Self { kind, running };
        let url = kind.url(server.address());
        let output = biplane::run_with(["init", "--store", &url], &[], "").await;
        ensure!(output.code == 0, "`biplane init` failed: {}", output.stderr);
        match &server.running {
            Running::Etcd(etcd) => etcd.0.put_many(&world.entries()).await?,
            Running::Consul(consul) => consul.kv_put_many(&world.entries()).await?,
        }
        Ok(server)
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.running {
            Running::Etcd(etcd) => etcd.0.address(0),
            Running::Consul(consul) => consul.address(),
        }
    }

    /// Ends it and starts it again with its data. Consul keeps the connection of a client that is gone for as long
    /// as its blocking query would have waited, and takes no more than 200 of them: a few starts of Biplane in a
    /// row are in each other's way.
    pub(crate) async fn restart(&mut self) {
        match &mut self.running {
            Running::Etcd(etcd) => etcd.0.restart(0).await,
            Running::Consul(consul) => consul.restart().await,
        }
    }

    /// Writes a key; returns when the server has acknowledged it.
    pub(crate) async fn put(&self, (key, value): (String, String)) -> Result<()> {
        match &self.running {
            Running::Etcd(etcd) => Ok(Box::pin(etcd.1.clone().put(key, value, None)).await.map(drop)?),
            Running::Consul(consul) => Box::pin(consul.kv_put(&key, value)).await,
        }
    }

    /// Watches what Biplane watches, as anybody would.
    pub(crate) async fn watch(&self) -> Result<Watcher> {
        match self.kind {
            Kind::Etcd => Watcher::etcd(self.address()).await,
            Kind::Consul => Watcher::consul(self.address()).await,
        }
    }

    /// The processor time that it has used so far.
    pub(crate) fn processor(&mut self) -> Result<Duration> {
        let process = match &mut self.running {
            Running::Etcd(etcd) => etcd.0.process(0),
            Running::Consul(consul) => consul.process(),
        };
        Ok(process.usage()?.processor)
    }
}
