//! Settings of the tags: which are read, how, and who may claim what. They are `tags:` in the configuration.

use std::collections::BTreeMap;

use biplane_core::key::ResourceRef;
use schemars::JsonSchema;
use serde::Deserialize;

/// Tags that become routes. All readers are off until they are switched on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// The namespace of the objects that are made; default `tags`. Nothing else should be kept in it.
    pub namespace: String,
    /// Biplane's own tags.
    pub biplane: OwnSettings,
    /// Traefik's tags.
    pub traefik: TraefikSettings,
    /// fabio's tags.
    pub fabio: FabioSettings,
    /// Names of entry points, as tags have them, to names of gateways. A name that is not here is a gateway's.
    pub entry_points: BTreeMap<String, Vec<String>>,
    /// Certificates for routers that serve TLS and name none. The first whose hosts match counts.
    pub certificates: Vec<Certificate>,
    /// Who may add routes to a host that a service has already.
    pub shared_hosts: SharedHosts,
    /// Who may claim what. Without a rule everybody may claim what no other owner holds.
    pub policy: Vec<PolicyRule>,
}

/// Biplane's own tags.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct OwnSettings {
    /// Reads them; default false.
    pub enabled: bool,
    /// What they start with; default `biplane`.
    pub prefix: String,
    /// Exposes services whose tags do not say `enable`; default false.
    pub exposed_by_default: bool,
}

/// Traefik's tags.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TraefikSettings {
    /// Reads them; default false.
    pub enabled: bool,
    /// What they start with; default `traefik`.
    pub prefix: String,
    /// Exposes services whose tags do not say `traefik.enable`; default false, Traefik's own is true.
    pub exposed_by_default: bool,
    /// The rule of routers that have none, with Traefik's template functions.
    pub default_rule: String,
    /// An expression on tags; instances that it does not hold for are not read.
    pub constraints: String,
    /// Names of `basicAuth` middlewares, as routers write them (`auth`, `auth@file`), to `Secret`s with `credentials`. They take
    /// the place of what tags or Traefik's own files say under the name.
    pub users: BTreeMap<String, ResourceRef>,
    /// A `Secret` with the roots that certificates of services are verified by, where a service has the scheme `https` and
    /// no `serversTransport`. Without it they are not verified, and a warning says so.
    pub roots_ref: Option<ResourceRef>,
    /// What names of `serversTransport` stand for, as services write them (`slow`, `mutual@file`).
    pub servers_transports: BTreeMap<String, ServersTransport>,
}

/// TLS towards the instances of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ServersTransport {
    /// A `Secret` with roots, a client certificate, or both.
    pub secret_ref: Option<ResourceRef>,
    /// The name to ask for and to find in the certificate.
    pub server_name: Option<String>,
    /// Takes any certificate.
    pub insecure_skip_verify: bool,
}

/// fabio's tags.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FabioSettings {
    /// Reads them; default false.
    pub enabled: bool,
    /// What they start with; default `urlprefix-`.
    pub prefix: String,
    /// Values of `$name` and `${name}` in hosts and paths. `DC` is the service's datacenter unless it is here.
    pub variables: BTreeMap<String, String>,
    /// Names of auth schemes (`auth=name`) to `Secret`s with `credentials`. A route whose scheme is not here lets
    /// nobody in.
    pub auth: BTreeMap<String, ResourceRef>,
    /// A `Secret` with the roots that certificates of services are verified by (`proto=https` and `proto=grpcs` without
    /// `tlsskipverify=true`). Without it they are not verified, and a warning says so.
    pub roots_ref: Option<ResourceRef>,
    /// Hosts match whatever port the client names; default false: only the port of the protocol, as fabio has it.
    pub any_port: bool,
}

/// A certificate and its hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Certificate {
    /// Host names; `*` stands for any characters. None: all hosts.
    pub hosts: Vec<String>,
    /// The `Secret`.
    pub secret_ref: ResourceRef,
}

/// Who may add routes to a host that a service has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SharedHosts {
    /// Services of the same source and namespace.
    #[default]
    Namespace,
    /// Nobody but the service.
    Service,
    /// Every service that the policy lets.
    Anyone,
}

/// Who may claim which hosts where. An empty list stands for all; `*` in a text for any characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PolicyRule {
    /// Names of sources.
    pub sources: Vec<String>,
    /// Namespaces.
    pub namespaces: Vec<String>,
    /// Names of services.
    pub services: Vec<String>,
    /// Hosts. Rules without a host, or with a pattern that could match others, need `*`.
    pub hosts: Vec<String>,
    /// Gateways. A router that names none needs `*` or an empty list.
    pub gateways: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: "tags".to_owned(),
            biplane: OwnSettings::default(),
            traefik: TraefikSettings::default(),
            fabio: FabioSettings::default(),
            entry_points: BTreeMap::new(),
            certificates: Vec::new(),
            shared_hosts: SharedHosts::default(),
            policy: Vec::new(),
        }
    }
}

impl Default for OwnSettings {
    fn default() -> Self {
        Self { enabled: false, prefix: "biplane".to_owned(), exposed_by_default: false }
    }
}

impl Default for TraefikSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            prefix: "traefik".to_owned(),
            exposed_by_default: false,
            default_rule: "Host(`{{ normalize .Name }}`)".to_owned(),
            constraints: String::new(),
            users: BTreeMap::new(),
            roots_ref: None,
            servers_transports: BTreeMap::new(),
        }
    }
}

impl Default for FabioSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            prefix: "urlprefix-".to_owned(),
            variables: BTreeMap::new(),
            auth: BTreeMap::new(),
            roots_ref: None,
            any_port: false,
        }
    }
}
