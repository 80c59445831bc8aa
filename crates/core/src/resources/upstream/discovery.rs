//! Upstreams whose endpoints are looked up where the workloads run. Each is the whole question that its source is
//! asked, so that upstreams which ask the same share one answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::{DEFAULT_NAMESPACE, ResourceRef};
use crate::scalars::Duration;

/// A service in Consul's catalog. Exactly one of `serviceName` and `preparedQuery`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ConsulUpstream {
    /// The service's name.
    pub service_name: Option<String>,
    /// Tags that routes can select endpoints by, as subsets with the value `1` or `0`.
    pub service_tags: Vec<String>,
    /// The same, instead of `serviceTags`.
    pub subset_tags: Vec<String>,
    /// Only instances that carry all of these tags.
    pub instance_tags: Vec<String>,
    /// No instance that carries one of these tags.
    pub instance_blacklist_tags: Vec<String>,
    /// Speaks to the instances through Consul's service mesh: mutual TLS with certificates that Consul issues.
    pub connect_enabled: Option<bool>,
    /// The service that Biplane's Envoys are in the mesh, to whom intentions are granted; default `biplane`.
    pub connect_service: Option<String>,
    /// The data centres to look in; none: that of the source. Each must have answered before endpoints change.
    pub data_centers: Vec<String>,
    /// How fresh answers have to be. Default: that of the source.
    pub consistency_mode: Option<ConsistencyMode>,
    /// How to ask.
    pub query_options: Option<ConsulQueryOptions>,
    /// The namespace (Consul Enterprise).
    pub namespace: Option<String>,
    /// The admin partition (Consul Enterprise).
    pub partition: Option<String>,
    /// A prepared query by name or id, asked instead of a service.
    pub prepared_query: Option<String>,
    /// Which of an instance's addresses counts: `lan`, `wan`, `lan_ipv4`, ... Default: the service's, else the node's.
    pub tagged_address: Option<String>,
    /// The port instead of that of each instance, 1 to 65535.
    pub port: Option<u32>,
    /// Whether instances whose checks warn get requests; default true, as Consul's own DNS does.
    pub warning_is_healthy: Option<bool>,
    /// The name of the discovery source, where several are set up; default: the first one that is a Consul.
    pub source: Option<String>,
}

/// How fresh Consul's answers have to be.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum ConsistencyMode {
    /// The leader's, by its lease.
    #[default]
    #[serde(rename = "DefaultMode")]
    Default,
    /// Any server's, a few seconds old at most.
    #[serde(rename = "StaleMode")]
    Stale,
    /// The leader's, confirmed by the others.
    #[serde(rename = "ConsistentMode")]
    Consistent,
}

/// How to ask Consul.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ConsulQueryOptions {
    /// Lets the agent answer from its cache.
    pub use_cache: Option<bool>,
}

/// A service that Nomad keeps itself (`provider = "nomad"`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NomadUpstream {
    /// The service's name.
    pub service_name: String,
    /// The namespace. Default: that of the source, else `default`.
    pub namespace: Option<String>,
    /// The region. Default: that of the agent.
    pub region: Option<String>,
    /// Tags that routes can select endpoints by, as subsets with the value `1` or `0`.
    pub subset_tags: Vec<String>,
    /// Only instances that carry all of these tags.
    pub instance_tags: Vec<String>,
    /// No instance that carries one of these tags.
    pub instance_blacklist_tags: Vec<String>,
    /// What becomes of canaries that are not promoted yet. Default `include`: each takes its share like the others.
    pub canaries: Option<Canaries>,
    /// The port instead of that of each instance, 1 to 65535.
    pub port: Option<u32>,
    /// The name of the discovery source, where several are set up; default: the first one that is a Nomad.
    pub source: Option<String>,
}

/// What becomes of canaries that are not promoted yet.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Canaries {
    /// They are endpoints like the others.
    #[default]
    Include,
    /// They get no requests.
    Exclude,
    /// They alone get requests.
    Only,
}

/// Virtual machines of EC2.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AwsEc2Upstream {
    /// The region. Default: that of the source.
    pub region: Option<String>,
    /// A `Secret` with AWS credentials to ask with. Default: those of the source.
    pub secret_ref: Option<ResourceRef>,
    /// A role to assume before asking, by its ARN.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// Tags that a machine must carry, all of them; with none every machine counts.
    pub filters: Vec<TagFilter>,
    /// Filters of EC2's own, by their names (`subnet-id`, `instance-type`): a machine must match one value of each.
    pub api_filters: BTreeMap<String, Vec<String>>,
    /// Takes machines' public addresses instead of their private ones.
    pub public_ip: Option<bool>,
    /// Takes machines' IPv6 addresses.
    pub ipv6: Option<bool>,
    /// The port, 1 to 65535; default 80.
    pub port: Option<u32>,
    /// A tag that holds the port, where a machine carries it.
    pub port_tag: Option<String>,
    /// A tag that holds a machine's share of the requests, where it carries it.
    pub weight_tag: Option<String>,
    /// Tags that routes can select endpoints by, as subsets.
    pub subset_tags: Vec<String>,
    /// Whether a machine must pass EC2's status checks to get requests; default true. A machine whose checks have not
    /// run yet counts as not passing.
    pub instance_status: Option<bool>,
    /// Only machines in service in these Auto Scaling groups; draining follows the group's lifecycle.
    pub auto_scaling_groups: Vec<String>,
    /// The name of the discovery source, where several are set up; default: the first one that is EC2.
    pub source: Option<String>,
}

/// A tag that a machine must carry: exactly one of the fields. Names and values are compared as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TagFilter {
    /// A tag of this name, whatever its value.
    pub key: Option<String>,
    /// A tag of this name and value.
    pub kv_pair: Option<TagPair>,
}

/// A tag and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TagPair {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
}

impl fmt::Display for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, &self.kv_pair) {
            (_, Some(pair)) => write!(f, "{}={}", pair.key, pair.value),
            (Some(key), None) => f.write_str(key),
            (None, None) => Ok(()),
        }
    }
}

/// Addresses that DNS knows, looked up by the control plane. (Names under `static` are looked up by Envoy.)
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DnsUpstream {
    /// The name.
    pub name: String,
    /// Which records to ask for. Default `a`.
    pub record: Option<DnsRecord>,
    /// The port, 1 to 65535. SRV records bring their own.
    pub port: Option<u32>,
    /// The longest time between two looks; default: the records' own, from 1 s to 5 min.
    pub refresh: Option<Duration>,
    /// The name of the discovery source, where several are set up; default: the first one that is DNS.
    pub source: Option<String>,
}

/// Records of DNS.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum DnsRecord {
    /// IPv4 addresses.
    #[default]
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Both.
    Any,
    /// Names and ports, by priority and weight; those of the best priority are taken.
    Srv,
}

/// Any of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Discovery<'a> {
    /// Consul's catalog.
    Consul(&'a ConsulUpstream),
    /// Nomad's services.
    Nomad(&'a NomadUpstream),
    /// EC2.
    AwsEc2(&'a AwsEc2Upstream),
    /// DNS.
    Dns(&'a DnsUpstream),
}

/// A service in Consul's catalog as a route's destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ConsulDestination {
    /// The service's name.
    pub service_name: String,
    /// Only instances that carry all of these tags.
    pub tags: Vec<String>,
    /// Only instances in these data centres; none: in that of the source.
    pub data_centers: Vec<String>,
}

/// How the names of secrets begin that hold a certificate of the mesh.
const CONNECT: &str = "consul-connect:";

impl ConsulUpstream {
    /// The secret with the certificate that instances in the mesh are shown, and the roots that theirs are verified by.
    /// Nobody writes it: it is what the mesh says at any time. `None`: the instances are spoken to directly.
    pub fn connect_secret(&self) -> Option<ResourceRef> {
        if self.connect_enabled != Some(true) {
            return None;
        }
        let service = self.connect_service.as_deref().unwrap_or("biplane");
        let source = self.source.as_deref().map(|source| format!("@{}", escaped(source)));
        let name = format!("{CONNECT}{}{}", escaped(service), source.unwrap_or_default());
        Some(ResourceRef::new(DEFAULT_NAMESPACE, name))
    }

    /// How the names of such secrets begin: nobody may write one of them.
    pub fn reserved_secret(namespace: &str, name: &str) -> Option<&'static str> {
        (namespace == DEFAULT_NAMESPACE && name.starts_with(CONNECT)).then_some(CONNECT)
    }

    /// The service in the mesh, and the name of the source, that a secret of this name is of.
    pub fn of_connect_secret(name: &ResourceRef) -> Option<(String, Option<String>)> {
        let text = name.name.strip_prefix(CONNECT).filter(|_| name.namespace == DEFAULT_NAMESPACE)?;
        match text.split_once('@') {
            Some((service, source)) => Some((unescaped(service)?, Some(unescaped(source)?))),
            None => Some((unescaped(text)?, None)),
        }
    }
}

/// How the names of upstreams begin that stand for destinations; as in Gloo.
const DESTINATION: &str = "consul-svc:";

impl ConsulDestination {
    /// The upstream that stands for it. Nobody writes it: equal destinations have one, and its name is all of it.
    /// `consul-svc:web`, `consul-svc:web[blue]@dc1`
    pub fn upstream(&self) -> ResourceRef {
        let list = |items: &[String]| {
            let items: BTreeSet<_> = items.iter().map(|item| escaped(item)).collect();
            items.into_iter().collect::<Vec<_>>().join(",")
        };
        let mut name = format!("{DESTINATION}{}", escaped(&self.service_name));
        if !self.tags.is_empty() {
            name.push_str(&format!("[{}]", list(&self.tags)));
        }
        if !self.data_centers.is_empty() {
            name.push_str(&format!("@{}", list(&self.data_centers)));
        }
        ResourceRef::new(DEFAULT_NAMESPACE, name)
    }

    /// How the names of such upstreams begin: nobody may write one of them.
    pub fn reserved_upstream(namespace: &str, name: &str) -> Option<&'static str> {
        (namespace == DEFAULT_NAMESPACE && name.starts_with(DESTINATION)).then_some(DESTINATION)
    }

    /// The destination that an upstream of this name stands for, if any.
    pub fn of_upstream(name: &ResourceRef) -> Option<Self> {
        let text = name.name.strip_prefix(DESTINATION).filter(|_| name.namespace == DEFAULT_NAMESPACE)?;
        let list = |text: &str| text.split(',').map(unescaped).collect::<Option<Vec<_>>>();
        let (text, data_centers) = match text.split_once('@') {
            Some((text, names)) => (text, list(names)?),
            None => (text, Vec::new()),
        };
        let (service, tags) = match text.split_once('[') {
            Some((service, tags)) => (service, list(tags.strip_suffix(']')?)?),
            None => (text, Vec::new()),
        };
        Some(Self { service_name: unescaped(service)?, tags, data_centers })
    }

    /// What that upstream asks for.
    pub fn question(&self) -> ConsulUpstream {
        ConsulUpstream {
            service_name: Some(self.service_name.clone()),
            instance_tags: self.tags.clone(),
            data_centers: self.data_centers.clone(),
            ..ConsulUpstream::default()
        }
    }
}

/// Percent-encoded as far as the name of an upstream and its parts ask for.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:=".contains(&byte);
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) { escaped.push(char::from(byte)) } else { escaped.push_str(&format!("%{byte:02X}")) }
    }
    // `..` could leave a store's root, so no name holds it.
    escaped.replace("..", "%2E%2E")
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        bytes.push(u8::from_str_radix(std::str::from_utf8(&[*high, *low]).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_destinations_upstream_is_all_of_it() {
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (service, tags, data_centers) in [
            ("web", vec![], vec![]),
            ("web", list(&["blue"]), vec![]),
            ("web", vec![], list(&["dc1", "dc2"])),
            ("w[e]b@x", list(&["a,b", "traefik.http.routers.a.rule=Host(`x`)"]), list(&["..", "ä"])),
        ] {
            let destination = ConsulDestination { service_name: service.to_owned(), tags, data_centers };
            let name = destination.upstream();
            assert!(crate::key::check_name(&name.name).is_ok(), "{name}");
            assert_eq!(ConsulDestination::of_upstream(&name), Some(destination), "{name}");
        }
        assert_eq!(ConsulDestination::of_upstream(&ResourceRef::new(DEFAULT_NAMESPACE, "web")), None);
        let bare = ConsulDestination { service_name: "web".to_owned(), ..ConsulDestination::default() };
        assert_eq!(bare.upstream().name, "consul-svc:web");
    }
}
