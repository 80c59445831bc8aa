//! An agent's configuration file: quiet, small, on loopback, nothing but what tests need.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::ports::free_port;

/// What tells one agent from another.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) datacenter: String,
    /// Whether its data survives it.
    pub(super) data: bool,
    /// The management token, where there are ACLs.
    pub(super) token: Option<&'static str>,
    pub(super) key_list_policy: bool,
    pub(super) limits: Option<Limits>,
    pub(super) tls: Option<Tls>,
    pub(super) socket: Option<PathBuf>,
    /// Another datacenter's port to meet at.
    pub(super) wan: Option<u16>,
    /// Whether there is a service mesh.
    pub(super) mesh: bool,
    /// How many connections it takes from one client.
    pub(super) connections: Option<u32>,
    pub(super) ports: Ports,
    /// The server's port to meet at: this is a client agent.
    server: Option<u16>,
}

/// Requests per second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) reads: u32,
    pub(super) writes: u32,
}

/// Files.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Whether clients must show a certificate.
    pub(super) mutual: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    http: u16,
    lan: u16,
    pub(super) wan: u16,
    rpc: u16,
}

impl Ports {
    fn new() -> Self {
        Self { http: free_port(), lan: free_port(), wan: free_port(), rpc: free_port() }
    }
}

impl Config {
    /// A server.
    pub(super) fn new(name: &str, datacenter: &str) -> Self {
        Self {
            name: name.to_owned(),
            datacenter: datacenter.to_owned(),
            data: false,
            token: None,
            key_list_policy: false,
            limits: None,
            tls: None,
            socket: None,
            wan: None,
            mesh: false,
            connections: None,
            ports: Ports::new(),
            server: None,
        }
    }

    /// A client agent of this server.
    pub(super) fn agent(&self, name: &str, socket: Option<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            socket,
            wan: None,
            ports: Ports::new(),
            server: Some(self.ports.lan),
            ..self.clone()
        }
    }

    pub(super) fn http(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.http).into()
    }

    /// Whether it runs with `-dev`, which keeps everything in memory.
    pub(super) fn in_memory(&self) -> bool {
        !self.data && self.server.is_none()
    }

    /// The file.
    pub(super) fn json(&self, data: &Path) -> Value {
        let mut all = self.common();
        if !self.in_memory() {
            all["data_dir"] = json!(data);
        }
        match self.server {
            Some(server) => merge(&mut all, self.client(server)),
            None => merge(&mut all, self.server()),
        }
        if let Some(token) = self.token {
            all["acl"] = self.acl(token);
        }
        if let Some(most) = self.connections {
            all["limits"]["http_max_conns_per_client"] = json!(most);
        }
        if let Some(tls) = &self.tls {
            all["tls"] = tls.json();
        }
        all
    }

    fn common(&self) -> Value {
        let Ports { http, lan, wan, rpc } = self.ports;
        let (plain, encrypted) =
            if self.tls.is_some() { (-1, i32::from(http)) } else { (i32::from(http), -1) };
        let socket = self.socket.as_ref().map(|path| format!(" unix://{}", path.display()));
        let addresses = format!("127.0.0.1{}", socket.unwrap_or_default());
        json!({
            "datacenter": self.datacenter,
            "node_name": self.name,
            "bind_addr": "127.0.0.1",
            "addresses": { if self.tls.is_some() { "https" } else { "http" }: addresses },
            "ports": {
                "http": plain, "https": encrypted, "dns": -1, "grpc": -1, "grpc_tls": -1,
                "serf_lan": lan, "serf_wan": wan, "server": rpc,
            },
            "disable_update_check": true,
            "disable_host_node_id": true,
            "connect": { "enabled": self.mesh },
            "peering": { "enabled": false },
            "ui_config": { "enabled": true },
            "log_level": "info",
            "leave_on_terminate": false,
            "skip_leave_on_interrupt": true,
            "retry_interval": "1s",
        })
    }

    fn server(&self) -> Value {
        let mut server = json!({ "server": true, "performance": { "raft_multiplier": 1 } });
        if !self.in_memory() {
            server["bootstrap_expect"] = json!(1);
        }
        if let Some(port) = self.wan {
            server["retry_join_wan"] = json!([format!("127.0.0.1:{port}")]);
            server["retry_interval_wan"] = json!("1s");
        }
        if let Some(Limits { reads, writes }) = self.limits {
            let limits = json!({ "mode": "enforcing", "read_rate": reads, "write_rate": writes });
            server["limits"] = json!({ "request_limits": limits });
        }
        server
    }

    fn client(&self, server: u16) -> Value {
        let mut client = json!({ "server": false, "retry_join": [format!("127.0.0.1:{server}")] });
        if self.limits.is_some() {
            // It would ask again for seven seconds before it says that there is a limit.
            client["performance"] = json!({ "rpc_hold_timeout": "10ms" });
        }
        client
    }

    fn acl(&self, token: &str) -> Value {
        json!({
            "enabled": true,
            "default_policy": "deny",
            "enable_key_list_policy": self.key_list_policy,
            // A test that takes a right away does not want to wait until an agent has forgotten it.
            "token_ttl": "0s", "policy_ttl": "0s", "role_ttl": "0s",
            "tokens": if self.server.is_some() {
                json!({ "agent": token })
            } else {
                json!({ "agent": token, "initial_management": token })
            },
        })
    }
}

impl Tls {
    fn json(&self) -> Value {
        json!({
            "defaults": {
                "ca_file": self.authority, "cert_file": self.certificate, "key_file": self.key,
                "verify_incoming": false, "verify_outgoing": false,
            },
            "https": { "verify_incoming": self.mutual },
        })
    }
}

fn merge(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else { unreachable!("both are objects") };
    into.extend(more);
}
