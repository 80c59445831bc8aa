//! What Envoy refuses is found, and told with the path of the field.

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{CommonLbConfig, RingHashLbConfig};
use envoy_types::pb::envoy::config::core::v3::{Http2ProtocolOptions, TransportSocket, transport_socket};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions, explicit_http_config::ProtocolConfig,
};
use envoy_types::pb::envoy::r#type::v3::Percent;
use envoy_types::pb::google::protobuf::Duration;

use super::*;
use crate::encode;
use crate::proto::{uint32, uint64};
use crate::resource::EnvoyType;

fn broken_of(cluster: &Cluster) -> Vec<String> {
    broken(&EnvoyResource::encode(EnvoyType::Cluster, "c", cluster, [], []))
}

fn cluster() -> Cluster {
    Cluster { name: "c".into(), ..Cluster::default() }
}

#[test]
fn good_cluster_breaks_nothing() {
    assert_eq!(broken_of(&cluster()), Vec::<String>::new());
}

#[test]
fn empty_name_is_too_short() {
    assert_eq!(broken_of(&Cluster::default()), ["name: has 0 characters, must have at least 1"]);
}

#[test]
fn zero_duration_is_not_above_zero() {
    let cluster = Cluster { connect_timeout: Some(Duration::default()), ..cluster() };
    assert_eq!(broken_of(&cluster), ["connect_timeout: is 0, must be more than 0"]);
}

#[test]
fn numbers_have_limits_behind_wrappers_and_in_messages() {
    let percent =
        CommonLbConfig { healthy_panic_threshold: Some(Percent { value: 101.0 }), ..Default::default() };
    let ring = RingHashLbConfig { minimum_ring_size: Some(uint64(9_000_000)), ..RingHashLbConfig::default() };
    let cluster = Cluster {
        common_lb_config: Some(percent),
        lb_config: Some(envoy_types::pb::envoy::config::cluster::v3::cluster::LbConfig::RingHashLbConfig(
            ring,
        )),
        lb_policy: 99,
        ..cluster()
    };
    assert_eq!(
        broken_of(&cluster),
        [
            "lb_policy: has no value of number 99",
            "ring_hash_lb_config.minimum_ring_size: is 9000000, must be at most 8388608",
            "common_lb_config.healthy_panic_threshold.value: is 101, must be at most 100",
        ]
    );
}

#[test]
fn rules_hold_inside_any_and_inside_maps() {
    let http2 = Http2ProtocolOptions { initial_stream_window_size: Some(uint32(1)), ..Default::default() };
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(http2)),
        })),
        ..HttpProtocolOptions::default()
    };
    let mut cluster = cluster();
    cluster.typed_extension_protocol_options.insert("http".into(), encode::any(&options));
    assert_eq!(
        broken_of(&cluster),
        ["typed_extension_protocol_options.http.explicit_http_config.http2_protocol_options.\
          initial_stream_window_size: is 1, must be at least 65535"]
    );
}

#[test]
fn a_choice_that_must_be_made_is_missed() {
    let options = encode::any(&HttpProtocolOptions::default());
    let mut cluster = cluster();
    cluster.typed_extension_protocol_options.insert("http".into(), options);
    assert_eq!(
        broken_of(&cluster),
        [
            "typed_extension_protocol_options.http: one of explicit_http_config, use_downstream_protocol_config, \
          auto_config must be set"
        ]
    );
}

#[test]
fn unknown_type_in_an_any_is_told() {
    let any =
        envoy_types::pb::google::protobuf::Any { type_url: "type.googleapis.com/a.B".into(), value: vec![] };
    let socket = TransportSocket {
        name: "tls".into(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(any)),
    };
    let cluster = Cluster { transport_socket: Some(socket), ..cluster() };
    assert_eq!(broken_of(&cluster), ["transport_socket.typed_config: no message is named a.B"]);
}
