//! A node's configuration file: quiet, small, on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::ports::free_port;

/// What tells one node from another.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) name: String,
    /// Whether its data survives it.
    pub(super) data: bool,
    pub(super) tls: Option<Tls>,
    /// The nodes that it joins.
    pub(super) others: Vec<SocketAddr>,
    port: u16,
    cluster_port: u16,
}

/// Files.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Whether clients must show a certificate; they may in any case.
    pub(super) mutual: bool,
}

impl Config {
    pub(super) fn new(name: &str, data: bool, tls: Option<Tls>) -> Self {
        let (port, cluster_port) = (free_port(), free_port());
        Self { name: name.to_owned(), data, tls, others: Vec::new(), port, cluster_port }
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The file.
    pub(super) fn json(&self, data: &Path) -> Value {
        let cluster = format!("127.0.0.1:{}", self.cluster_port);
        let mut listener = self.tls.as_ref().map_or_else(|| json!({ "tls_disable": true }), Tls::json);
        listener["address"] = json!(self.address());
        listener["cluster_address"] = json!(cluster);
        json!({
            "storage": if self.data { self.raft(data) } else { json!({ "inmem": {} }) },
            "listener": { "tcp": listener },
            "api_addr": self.url(self.address()),
            "cluster_addr": format!("https://{cluster}"),
            "log_level": "info",
        })
    }

    fn raft(&self, data: &Path) -> Value {
        let join = |other: &SocketAddr| {
            let mut join = json!({ "leader_api_addr": self.url(*other) });
            if let Some(tls) = &self.tls {
                join["leader_ca_cert_file"] = json!(tls.authority);
                join["leader_client_cert_file"] = json!(tls.certificate);
                join["leader_client_key_file"] = json!(tls.key);
            }
            join
        };
        // The quickest election that it knows.
        let mut raft = json!({ "path": data, "node_id": self.name, "performance_multiplier": "1" });
        if !self.others.is_empty() {
            raft["retry_join"] = self.others.iter().map(join).collect();
        }
        json!({ "raft": raft })
    }

    fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }
}

impl Tls {
    fn json(&self) -> Value {
        let mut listener = json!({ "tls_cert_file": self.certificate, "tls_key_file": self.key });
        if self.mutual {
            listener["tls_client_ca_file"] = json!(self.authority);
            listener["tls_require_and_verify_client_cert"] = json!(true);
        }
        listener
    }
}
