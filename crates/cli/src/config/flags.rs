//! The flags that are settings. They stay text until all layers are joined.

use std::path::PathBuf;

use clap::Args;

use super::Layer;

/// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct GlobalFlags {
    /// The settings file [default: ./biplane.yaml, else /etc/biplane/biplane.yaml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(crate) config: Option<PathBuf>,
    /// What to log, as RUST_LOG says it: `info`, `warn,biplane_xds=debug`
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Everywhere")]
    pub(crate) log: Option<String>,
    /// How to log: `human` or `json`
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Everywhere")]
    pub(crate) log_format: Option<String>,
}

/// Flags of `serve` and `config show`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Flags {
    /// Where resources are read from: etcd://HOST/ROOT, consul://HOST/ROOT, file://DIR or a directory [default:
    /// file:///etc/biplane/resources]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Where secrets are kept, one or more, words apart: vault://HOST:8200?auth=.., vaults://.. by TLS, vault: as VAULT_ADDR says,
    /// file://DIR, credentials:
    #[arg(long, value_name = "URLS")]
    pub(crate) secrets: Option<String>,
    /// Where upstreams' endpoints are looked up, one or more, words apart: consul://HOST:8500, nomad://HOST:4646, ec2:, dns:; a
    /// scheme and a colon alone take what the environment says (CONSUL_HTTP_ADDR, NOMAD_ADDR, AWS_REGION)
    #[arg(long, value_name = "URLS")]
    pub(crate) discovery: Option<String>,
    /// Whose tags on services become routes, one or more, words apart: biplane, traefik, fabio; in the settings file a map with all
    /// that docs/tags.md shows
    #[arg(long, value_name = "READERS")]
    pub(crate) tags: Option<String>,
    /// The sources (of --discovery, by name) whose services become upstreams
    #[arg(long, value_name = "NAMES")]
    pub(crate) discover_upstreams: Option<String>,
    /// Where Envoys connect to; beyond loopback it takes TLS and --identity [default: 127.0.0.1:9977]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) xds: Option<String>,
    /// The certificate that Envoys are shown, in PEM; read again when it changes, as its key and authority are
    #[arg(long, value_name = "FILE")]
    pub(crate) xds_tls_cert: Option<String>,
    /// Its key
    #[arg(long, value_name = "FILE")]
    pub(crate) xds_tls_key: Option<String>,
    /// The authority that certificates of nodes must come from
    #[arg(long, value_name = "FILE")]
    pub(crate) xds_tls_client_ca: Option<String>,
    /// The same from a source of secrets: a map as JSON, in the settings file as docs/identity.md shows
    #[arg(long, value_name = "JSON")]
    pub(crate) xds_tls_secret: Option<String>,
    /// Which node belongs to which fleet, by certificate or token: a file, read again when it changes; in the settings
    /// file also a map with all that docs/identity.md shows
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<String>,
    /// Without --identity: believe what nodes beyond loopback say about their fleet [default: off]
    #[arg(long, value_name = "on|off", num_args = 0..=1, default_missing_value = "on")]
    pub(crate) xds_trust_node_metadata: Option<String>,
    /// Serve Envoys beyond loopback without TLS, where the network itself encrypts [default: off]
    #[arg(long, value_name = "on|off", num_args = 0..=1, default_missing_value = "on")]
    pub(crate) xds_plaintext: Option<String>,
    /// How many connections there may be where Envoys connect, whoever has them [default: 25000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) xds_max_connections: Option<String>,
    /// How many streams there may be; an Envoy has one [default: 20000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) xds_max_streams: Option<String>,
    /// How many of them those may have who show the same certificate names or token [default: 10000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) xds_max_streams_per_identity: Option<String>,
    /// Where the HTTP API is; beyond loopback it takes TLS and tokens [default: 127.0.0.1:9978]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) admin: Option<String>,
    /// Where the last good configuration is kept, so that a restart serves it whatever is down
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<String>,
    /// The key that seals secrets in the state directory [default: made there at first start]
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot_key_file: Option<String>,
    /// Written once the addresses are bound: {"xds":"ip:port","admin":"ip:port"}
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<String>,
    /// How long a deletion waits while other objects refer to what goes [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) hold_deletions: Option<String>,
    /// How long streams may take to end when the process stops [default: 5s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) drain: Option<String>,
    /// How often everything is read again although nothing seems to have changed [default: 5m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) resync: Option<String>,
    /// Whether removals are held back when a store suddenly shows much less [default: on]
    #[arg(long, value_name = "on|off")]
    pub(crate) guard: Option<String>,
    /// Up to this share of the objects of a kind may go within a minute without a word [default: 30]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) guard_percent: Option<String>,
    /// Fewer objects of a kind than this may always go [default: 5]
    #[arg(long, value_name = "COUNT")]
    pub(crate) guard_min: Option<String>,
    /// Whether this replica may write status and history into the store when it is its turn [default: on]
    #[arg(long, value_name = "on|off")]
    pub(crate) leader: Option<String>,
    /// Serve the HTTP API on a socket file too; whoever may open it may write
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_socket: Option<String>,
    /// Who may do what through the HTTP API: a line a token, made by `biplane admin token new`
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_tokens_file: Option<String>,
    /// The certificate of the HTTP API, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_tls_cert: Option<String>,
    /// Its key
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_tls_key: Option<String>,
    /// The authority that certificates of callers must come from
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_tls_client_ca: Option<String>,
    /// For development: whoever reaches the HTTP API on loopback may write [default: off]
    #[arg(long, value_name = "on|off", num_args = 0..=1, default_missing_value = "on")]
    pub(crate) admin_anonymous_write: Option<String>,
    /// Of a store that is a directory: the folder in it that the HTTP API may write
    #[arg(long, value_name = "DIR")]
    pub(crate) admin_writable_directory: Option<String>,
}

/// Flags of the verbs that ask a running control plane.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ClientFlags {
    /// The HTTP API: http://IP:PORT, https://HOST:PORT or unix:///SOCKET [default: the settings `api`, `adminSocket`,
    /// `admin`; http://127.0.0.1:9978]
    #[arg(long, value_name = "URL", help_heading = "Where")]
    pub(crate) api: Option<String>,
    /// A file with the token to show there
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    pub(crate) api_token_file: Option<String>,
    /// The authority of its certificate, in PEM [default: those that this machine trusts]
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    pub(crate) api_ca_file: Option<String>,
    /// The certificate to show there
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    pub(crate) api_cert_file: Option<String>,
    /// Its key
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    pub(crate) api_key_file: Option<String>,
}

/// A setting's name, its flag, and what was written there.
pub(crate) type Given<'a> = (&'static str, &'static str, &'a Option<String>);

impl GlobalFlags {
    fn given(&self) -> [Given<'_>; 2] {
        [("log", "--log", &self.log), ("logFormat", "--log-format", &self.log_format)]
    }
}

impl Flags {
    /// What was written.
    pub(crate) fn given(&self) -> Vec<Given<'_>> {
        vec![
            ("store", "--store", &self.store),
            ("secrets", "--secrets", &self.secrets),
            ("discovery", "--discovery", &self.discovery),
            ("tags", "--tags", &self.tags),
            ("discoverUpstreams", "--discover-upstreams", &self.discover_upstreams),
            ("xds", "--xds", &self.xds),
            ("xdsTlsCert", "--xds-tls-cert", &self.xds_tls_cert),
            ("xdsTlsKey", "--xds-tls-key", &self.xds_tls_key),
            ("xdsTlsClientCa", "--xds-tls-client-ca", &self.xds_tls_client_ca),
            ("xdsTlsSecret", "--xds-tls-secret", &self.xds_tls_secret),
            ("identity", "--identity", &self.identity),
            ("xdsTrustNodeMetadata", "--xds-trust-node-metadata", &self.xds_trust_node_metadata),
            ("xdsPlaintext", "--xds-plaintext", &self.xds_plaintext),
            ("xdsMaxConnections", "--xds-max-connections", &self.xds_max_connections),
            ("xdsMaxStreams", "--xds-max-streams", &self.xds_max_streams),
            (
                "xdsMaxStreamsPerIdentity",
                "--xds-max-streams-per-identity",
                &self.xds_max_streams_per_identity,
            ),
            ("admin", "--admin", &self.admin),
            ("stateDir", "--state-dir", &self.state_dir),
            ("snapshotKeyFile", "--snapshot-key-file", &self.snapshot_key_file),
            ("readyFile", "--ready-file", &self.ready_file),
            ("holdDeletions", "--hold-deletions", &self.hold_deletions),
            ("drain", "--drain", &self.drain),
            ("resync", "--resync", &self.resync),
            ("guard", "--guard", &self.guard),
            ("guardPercent", "--guard-percent", &self.guard_percent),
            ("guardMin", "--guard-min", &self.guard_min),
            ("leader", "--leader", &self.leader),
            ("adminSocket", "--admin-socket", &self.admin_socket),
            ("adminTokensFile", "--admin-tokens-file", &self.admin_tokens_file),
            ("adminTlsCert", "--admin-tls-cert", &self.admin_tls_cert),
            ("adminTlsKey", "--admin-tls-key", &self.admin_tls_key),
            ("adminTlsClientCa", "--admin-tls-client-ca", &self.admin_tls_client_ca),
            ("adminAnonymousWrite", "--admin-anonymous-write", &self.admin_anonymous_write),
            ("adminWritableDirectory", "--admin-writable-directory", &self.admin_writable_directory),
        ]
    }
}

impl ClientFlags {
    /// What was written.
    pub(crate) fn given(&self) -> Vec<Given<'_>> {
        vec![
            ("api", "--api", &self.api),
            ("apiTokenFile", "--api-token-file", &self.api_token_file),
            ("apiCaFile", "--api-ca-file", &self.api_ca_file),
            ("apiCertFile", "--api-cert-file", &self.api_cert_file),
            ("apiKeyFile", "--api-key-file", &self.api_key_file),
        ]
    }
}

/// The layer above all others.
pub(super) fn read(global: &GlobalFlags, given: &[Given<'_>]) -> Layer {
    let mut layer = Layer::new("flags");
    for (key, flag, value) in global.given().iter().chain(given) {
        if let Some(value) = value {
            layer.set(key, value, *flag);
        }
    }
    layer
}
