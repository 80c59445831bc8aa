//! An agent's configuration file: quiet, small, on loopback, nothing but what tests need.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::ports::{free_block, free_port};

/// What tells one agent from another.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) region: String,
    pub(super) acl: bool,
    pub(super) events: bool,
    pub(super) tls: Option<Tls>,
    pub(super) ports: Ports,
}

/// What an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Server and client.
    Both,
    Server,
    /// A node of the server with this RPC port.
    Client {
        of: u16,
    },
}

/// Files.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    mutual: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Ports {
    pub(super) http: u16,
    pub(super) rpc: u16,
    pub(super) serf: u16,
    /// What tasks get.
    tasks: Range<u16>,
}

/// Where the agent keeps its state.
pub(super) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

impl Config {
    pub(super) fn new(name: &str) -> Self {
        let ports = Ports { http: free_port(), rpc: free_port(), serf: free_port(), tasks: free_block() };
        let role = Role::Both;
        Self { name: name.into(), role, region: "global".into(), acl: false, events: true, tls: None, ports }
    }

    /// The file.
    pub(super) fn hcl(&self, folder: &Path) -> String {
        let Self { name, role, region, acl, events, ports, .. } = self;
        let (serves, runs_tasks) = (!matches!(role, Role::Client { .. }), *role != Role::Server);
        let Ports { http, rpc, serf, tasks } = ports;
        let expected = u8::from(serves);
        let data = data(folder);
        let data = data.display();
        let asked = if let Role::Client { of } = role { of } else { rpc };
        let (first, last) = (tasks.start, tasks.end - 1);
        let tls = self.tls.as_ref().map(Tls::hcl).unwrap_or_default();
        format!(
            r#"name = "{name}"
region = "{region}"
datacenter = "dc1"
data_dir = "{data}"
bind_addr = "127.0.0.1"
log_level = "INFO"
disable_update_check = true
leave_on_interrupt = false
leave_on_terminate = false

advertise {{
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}}

ports {{
  http = {http}
  rpc  = {rpc}
  serf = {serf}
}}

server {{
  enabled             = {serves}
  bootstrap_expect    = {expected}
  enable_event_broker = {events}
  # A node that restarts is not given up meanwhile, and a plan does not wait.
  heartbeat_grace = "30s"
  raft_multiplier = 1
}}

client {{
  enabled                 = {runs_tasks}
  servers                 = ["127.0.0.1:{asked}"]
  network_interface       = "lo"
  # Tests run many tasks that do nothing.
  cpu_total_compute       = 100000
  memory_total_mb         = 100000
  disk_free_mb            = 100000
  gc_disk_usage_threshold = 100
  min_dynamic_port        = {first}
  max_dynamic_port        = {last}
  options = {{
    "driver.allowlist"     = "raw_exec"
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
  }}
}}

plugin "raw_exec" {{
  config {{
    enabled = true
  }}
}}

consul {{
  auto_advertise   = false
  server_auto_join = false
  client_auto_join = false
}}

acl {{
  enabled    = {acl}
  # A test that takes a right away does not want to wait until the agent has forgotten it.
  token_ttl  = "1s"
  policy_ttl = "1s"
  role_ttl   = "1s"
}}

limits {{
  # All tests come from one address.
  http_max_conns_per_client = 0
}}
{tls}"#
        )
    }
}

impl Tls {
    pub(super) const fn new(authority: PathBuf, certificate: PathBuf, key: PathBuf, mutual: bool) -> Self {
        Self { authority, certificate, key, mutual }
    }

    fn hcl(&self) -> String {
        let Self { authority, certificate, key, mutual } = self;
        let (authority, certificate, key) = (authority.display(), certificate.display(), key.display());
        format!(
            r#"
tls {{
  http                = true
  rpc                 = false
  ca_file             = "{authority}"
  cert_file           = "{certificate}"
  key_file            = "{key}"
  verify_https_client = {mutual}
}}
"#
        )
    }
}
