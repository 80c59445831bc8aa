//! The messages of the discovery protocol, as far as Biplane reads or writes them. They are described by
//! hand: the fields that are left out (most of all the 60 KB of `node.extensions` that an Envoy sends
//! with each request) are skipped by the decoder and never take memory. Tests hold the descriptions
//! against the generated ones.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
pub use prost::Message;

use crate::resource::ResourceType;

/// `envoy.service.discovery.v3.DeltaDiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
pub struct DeltaDiscoveryRequest {
    /// Who asks; only the first request of a stream must tell.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The type asked for; may be empty where the stream implies it.
    #[prost(string, tag = "2")]
    pub type_url: String,
    /// Names to add to the subscription.
    #[prost(string, repeated, tag = "3")]
    pub resource_names_subscribe: Vec<String>,
    /// Names to take from the subscription.
    #[prost(string, repeated, tag = "4")]
    pub resource_names_unsubscribe: Vec<String>,
    /// What the client holds from an earlier stream, with versions.
    #[prost(map = "string, string", tag = "5")]
    pub initial_resource_versions: HashMap<String, String>,
    /// The response that this answers; empty for a spontaneous request.
    #[prost(string, tag = "6")]
    pub response_nonce: String,
    /// Set if the response was refused.
    #[prost(message, optional, tag = "7")]
    pub error_detail: Option<ErrorDetail>,
}

/// `envoy.service.discovery.v3.DiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
pub struct DiscoveryRequest {
    /// The version that the client has accepted last.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// Who asks; only the first request of a stream must tell.
    #[prost(message, optional, tag = "2")]
    pub node: Option<Node>,
    /// The whole subscription.
    #[prost(string, repeated, tag = "3")]
    pub resource_names: Vec<String>,
    /// The type asked for; may be empty where the stream implies it.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// The response that this answers; empty for the first request of a type.
    #[prost(string, tag = "5")]
    pub response_nonce: String,
    /// Set if the response was refused.
    #[prost(message, optional, tag = "6")]
    pub error_detail: Option<ErrorDetail>,
}

/// `envoy.service.discovery.v3.DeltaDiscoveryResponse`
#[derive(Clone, PartialEq, Message)]
pub struct DeltaDiscoveryResponse {
    /// The snapshot's generation, for people who debug.
    #[prost(string, tag = "1")]
    pub system_version_info: String,
    /// What is new or different.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<DeltaResource>,
    /// The type.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// What to answer with.
    #[prost(string, tag = "5")]
    pub nonce: String,
    /// What does not exist.
    #[prost(string, repeated, tag = "6")]
    pub removed_resources: Vec<String>,
}

/// `envoy.service.discovery.v3.DiscoveryResponse`
#[derive(Clone, PartialEq, Message)]
pub struct DiscoveryResponse {
    /// The version of the whole response.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// The resources.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<Any>,
    /// The type.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// What to answer with.
    #[prost(string, tag = "5")]
    pub nonce: String,
}

/// `envoy.service.discovery.v3.Resource`
#[derive(Clone, PartialEq, Message)]
pub struct DeltaResource {
    /// Its version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The resource.
    #[prost(message, optional, tag = "2")]
    pub resource: Option<Any>,
    /// Its name.
    #[prost(string, tag = "3")]
    pub name: String,
}

/// `google.protobuf.Any` that shares its bytes.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// The type of the message.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded message.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
pub struct ErrorDetail {
    /// A gRPC status code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What is wrong.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `envoy.config.core.v3.Node`
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The cluster that it says it belongs to.
    #[prost(string, tag = "2")]
    pub cluster: String,
    /// Metadata of its bootstrap.
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<Metadata>,
    /// Where it runs.
    #[prost(message, optional, tag = "4")]
    pub locality: Option<Locality>,
    /// Its program, `envoy`.
    #[prost(string, tag = "6")]
    pub user_agent_name: String,
    /// The program's version as text.
    #[prost(string, tag = "7")]
    pub user_agent_version: String,
    /// The program's version as numbers, which is what Envoy sends.
    #[prost(message, optional, tag = "8")]
    pub user_agent_build_version: Option<BuildVersion>,
}

/// `google.protobuf.Struct`, of which only texts are read.
#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    /// The fields.
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, Value>,
}

/// `google.protobuf.Value`, if it is a text.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// The text.
    #[prost(string, tag = "3")]
    pub string_value: String,
}

/// `envoy.config.core.v3.Locality`
#[derive(Clone, PartialEq, Message)]
pub struct Locality {
    /// The region.
    #[prost(string, tag = "1")]
    pub region: String,
    /// The zone in the region.
    #[prost(string, tag = "2")]
    pub zone: String,
    /// The part of the zone.
    #[prost(string, tag = "3")]
    pub sub_zone: String,
}

/// `envoy.config.core.v3.BuildVersion`
#[derive(Clone, PartialEq, Message)]
pub struct BuildVersion {
    /// The version.
    #[prost(message, optional, tag = "1")]
    pub version: Option<SemanticVersion>,
}

/// `envoy.type.v3.SemanticVersion`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct SemanticVersion {
    /// The first number.
    #[prost(uint32, tag = "1")]
    pub major_number: u32,
    /// The second number.
    #[prost(uint32, tag = "2")]
    pub minor_number: u32,
    /// The third number.
    #[prost(uint32, tag = "3")]
    pub patch: u32,
}

impl Node {
    /// The fleet that it says it belongs to: the proxy of a role `namespace~proxy`, or else its cluster.
    pub fn fleet(&self) -> &str {
        self.proxy().unwrap_or(&self.cluster)
    }

    fn proxy(&self) -> Option<&str> {
        let role = &self.metadata.as_ref()?.fields.get("role")?.string_value;
        role.split_once('~').map(|(_, proxy)| proxy).filter(|proxy| !proxy.is_empty())
    }

    /// The version of its program, however it says it.
    pub fn build_version(&self) -> String {
        let number = self.user_agent_build_version.as_ref().and_then(|build| build.version);
        number.map_or_else(
            || self.user_agent_version.clone(),
            |number| format!("{}.{}.{}", number.major_number, number.minor_number, number.patch),
        )
    }
}

/// The gRPC path of delta ADS.
pub const DELTA_ADS: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/// The gRPC path of state-of-the-world ADS.
pub const SOTW_ADS: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// What a gRPC path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// A delta stream, of one type or of all.
    Delta(Option<ResourceType>),
    /// A state-of-the-world stream, of one type or of all.
    Sotw(Option<ResourceType>),
}

/// The service of each type and what its methods are called after `Stream` and `Delta`.
const SERVICES: [(&str, &str, ResourceType); 9] = [
    ("envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters", ResourceType::Cluster),
    ("envoy.service.endpoint.v3.EndpointDiscoveryService", "Endpoints", ResourceType::Endpoint),
    ("envoy.service.listener.v3.ListenerDiscoveryService", "Listeners", ResourceType::Listener),
    ("envoy.service.route.v3.RouteDiscoveryService", "Routes", ResourceType::Route),
    ("envoy.service.route.v3.ScopedRoutesDiscoveryService", "ScopedRoutes", ResourceType::ScopedRoute),
    ("envoy.service.route.v3.VirtualHostDiscoveryService", "VirtualHosts", ResourceType::VirtualHost),
    ("envoy.service.secret.v3.SecretDiscoveryService", "Secrets", ResourceType::Secret),
    (
        "envoy.service.extension.v3.ExtensionConfigDiscoveryService",
        "ExtensionConfigs",
        ResourceType::ExtensionConfig,
    ),
    ("envoy.service.runtime.v3.RuntimeDiscoveryService", "Runtime", ResourceType::Runtime),
];

impl Method {
    /// The method of a path; nothing for unary and unknown ones.
    pub(crate) fn from_path(path: &str) -> Option<Self> {
        match path {
            DELTA_ADS => return Some(Self::Delta(None)),
            SOTW_ADS => return Some(Self::Sotw(None)),
            _ => {}
        }
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let (_, plural, kind) = SERVICES.iter().find(|(name, _, _)| *name == service)?;
        match method.strip_suffix(plural)? {
            "Delta" => Some(Self::Delta(Some(*kind))),
            "Stream" if *kind != ResourceType::VirtualHost => Some(Self::Sotw(Some(*kind))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(text: &str) -> Node {
        let fields = BTreeMap::from([("role".to_owned(), Value { string_value: text.to_owned() })]);
        Node { cluster: "edge".into(), metadata: Some(Metadata { fields }), ..Node::default() }
    }

    #[test]
    fn fleet_is_the_proxy_of_gloos_role_or_else_the_cluster() {
        assert_eq!(role("gloo-system~gateway-proxy").fleet(), "gateway-proxy");
        assert_eq!(role("ingress").fleet(), "edge");
        assert_eq!(role("gloo-system~").fleet(), "edge");
        assert_eq!(Node { cluster: "edge".into(), ..Node::default() }.fleet(), "edge");
    }

    #[test]
    fn path_tells_the_protocol_and_the_type() {
        let path =
            |service: &str, method: &str| Method::from_path(&format!("/envoy.service.{service}/{method}"));
        assert_eq!(
            path("cluster.v3.ClusterDiscoveryService", "DeltaClusters"),
            Some(Method::Delta(Some(ResourceType::Cluster)))
        );
        assert_eq!(
            path("secret.v3.SecretDiscoveryService", "StreamSecrets"),
            Some(Method::Sotw(Some(ResourceType::Secret)))
        );
        assert_eq!(path("cluster.v3.ClusterDiscoveryService", "FetchClusters"), None);
        assert_eq!(path("route.v3.VirtualHostDiscoveryService", "StreamVirtualHosts"), None);
        assert_eq!(Method::from_path(DELTA_ADS), Some(Method::Delta(None)));
        assert_eq!(Method::from_path("/other"), None);
    }
}
