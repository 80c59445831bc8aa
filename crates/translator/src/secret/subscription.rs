//! The cluster that has Envoy subscribe to the headers of a secret. No request ever goes to it.
//!
//! What a route names by SDS, Envoy 1.40 subscribes to only if the route is there when Envoy starts: later nobody
//! starts the subscription. Subscriptions to one secret are shared, and a cluster's is always started, and waited
//! for before the cluster counts as there. So a route that names a secret names this cluster too: by the time that the
//! route comes, the values are at hand, and the first request carries them.

use std::collections::HashMap;

use biplane_core::key::{ObjectKey, ResourceRef};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use envoy_types::pb::envoy::config::core::v3::{Http1ProtocolOptions, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::filters::http::credential_injector::v3::CredentialInjector;
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::extensions::http::injected_credentials::generic::v3::Generic;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions,
};
use prost::{Message, Name};

use crate::resource::{EnvoyResource, EnvoyType};
use crate::{encode, names, tls};

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The cluster for the Envoy secrets `secrets` of the object `name`.
pub(super) fn cluster(name: &ResourceRef, secrets: &[EnvoyResource], key: &ObjectKey) -> EnvoyResource {
    let name = names::secret_subscription(name);
    let cluster = Cluster {
        name: name.clone(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        typed_extension_protocol_options: HashMap::from([(
            OPTIONS.to_owned(),
            encode::any(&options(secrets)),
        )]),
        ..Cluster::default()
    };
    let references = secrets.iter().map(|secret| secret.name.clone());
    EnvoyResource::encode(EnvoyType::Cluster, name, &cluster, references, [key.clone()])
}

/// Filters that would put the values into requests: they subscribe to them when the cluster is made.
fn options(secrets: &[EnvoyResource]) -> HttpProtocolOptions {
    let codec = filter("envoy.filters.http.upstream_codec", &UpstreamCodec::default());
    HttpProtocolOptions {
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default())),
        })),
        http_filters: secrets.iter().map(|secret| injector(&secret.name.name)).chain([codec]).collect(),
        ..HttpProtocolOptions::default()
    }
}

fn injector(secret: &str) -> HttpFilter {
    let credential = Generic { credential: Some(tls::sds(secret)), ..Generic::default() };
    let injector = CredentialInjector {
        credential: Some(TypedExtensionConfig {
            name: "envoy.http.injected_credentials.generic".to_owned(),
            typed_config: Some(encode::any(&credential)),
        }),
        ..CredentialInjector::default()
    };
    filter(secret, &injector)
}

fn filter<M: Message + Name>(name: &str, config: &M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(encode::any(config))),
        ..HttpFilter::default()
    }
}
