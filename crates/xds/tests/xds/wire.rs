//! The messages described by hand against the generated ones.

use std::collections::{BTreeMap, HashMap};

use biplane_xds::wire::{self, Message};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::envoy::r#type::v3::SemanticVersion;
use envoy_types::pb::google::protobuf::{Any, Struct, Value, value::Kind};
use envoy_types::pb::google::rpc::Status;

/// What `theirs` encodes to, decoded as ours.
fn ours<T: Message + Default>(theirs: &impl Message) -> T {
    T::decode(&*theirs.encode_to_vec()).expect("it decodes")
}

fn node() -> core::Node {
    let version = SemanticVersion { major_number: 1, minor_number: 40, patch: 2 };
    let build = core::BuildVersion { version: Some(version), metadata: None };
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.into())) };
    let number = Value { kind: Some(Kind::NumberValue(1.5)) };
    let extension =
        core::Extension { name: "a filter".into(), category: "filters".into(), ..Default::default() };
    core::Node {
        id: "envoy-1".into(),
        cluster: "edge".into(),
        metadata: Some(Struct {
            fields: HashMap::from([("role".into(), text("gloo~proxy")), ("weight".into(), number)]),
        }),
        locality: Some(core::Locality { region: "r".into(), zone: "z".into(), sub_zone: "s".into() }),
        user_agent_name: "envoy".into(),
        extensions: vec![extension; 300],
        client_features: vec!["envoy.lb".into()],
        user_agent_version_type: Some(UserAgentVersionType::UserAgentBuildVersion(build)),
        ..Default::default()
    }
}

#[test]
fn node_is_read_without_its_extensions() {
    let node: wire::Node = ours(&node());
    assert_eq!(node.fleet(), "proxy");
    assert_eq!(node.build_version(), "1.40.2");
    assert_eq!((&*node.id, &*node.cluster, &*node.user_agent_name), ("envoy-1", "edge", "envoy"));
    assert_eq!(node.locality.as_ref().unwrap().sub_zone, "s");
    assert!(node.encoded_len() < 200);
}

#[test]
fn delta_request_is_read_whole() {
    let request: wire::DeltaDiscoveryRequest = ours(&discovery::DeltaDiscoveryRequest {
        node: Some(node()),
        type_url: "type".into(),
        resource_names_subscribe: vec!["a".into()],
        resource_names_unsubscribe: vec!["b".into()],
        initial_resource_versions: HashMap::from([("c".into(), "1".into())]),
        response_nonce: "7".into(),
        error_detail: Some(Status { code: 3, message: "no".into(), details: vec![Any::default()] }),
        ..Default::default()
    });
    assert_eq!(request.node.unwrap().id, "envoy-1");
    assert_eq!((&*request.type_url, &*request.response_nonce), ("type", "7"));
    assert_eq!(request.resource_names_subscribe, ["a"]);
    assert_eq!(request.resource_names_unsubscribe, ["b"]);
    assert_eq!(request.initial_resource_versions["c"], "1");
    assert_eq!(request.error_detail, Some(wire::ErrorDetail { code: 3, message: "no".into() }));
}

#[test]
fn sotw_request_is_read_whole() {
    let request: wire::DiscoveryRequest = ours(&discovery::DiscoveryRequest {
        version_info: "5".into(),
        node: Some(node()),
        resource_names: vec!["a".into()],
        type_url: "type".into(),
        response_nonce: "7".into(),
        error_detail: Some(Status { code: 3, message: "no".into(), details: vec![] }),
        ..Default::default()
    });
    assert_eq!(request.node.unwrap().cluster, "edge");
    assert_eq!((&*request.version_info, &*request.type_url, &*request.response_nonce), ("5", "type", "7"));
    assert_eq!(request.resource_names, ["a"]);
    assert_eq!(request.error_detail.unwrap().message, "no");
}

#[test]
fn responses_are_what_the_generated_messages_say() {
    let any = wire::Any { type_url: "type".into(), value: "body".into() };
    let entry = wire::DeltaResource { version: "1".into(), resource: Some(any.clone()), name: "a".into() };
    let delta: discovery::DeltaDiscoveryResponse = ours(&wire::DeltaDiscoveryResponse {
        system_version_info: "3".into(),
        resources: vec![entry],
        type_url: "type".into(),
        nonce: "7".into(),
        removed_resources: vec!["b".into()],
    });
    assert_eq!((&*delta.system_version_info, &*delta.type_url, &*delta.nonce), ("3", "type", "7"));
    assert_eq!((&*delta.resources[0].name, &*delta.resources[0].version), ("a", "1"));
    assert_eq!(delta.resources[0].resource.as_ref().unwrap().value, b"body");
    assert_eq!(delta.removed_resources, ["b"]);
    let sotw: discovery::DiscoveryResponse = ours(&wire::DiscoveryResponse {
        version_info: "3".into(),
        resources: vec![any],
        type_url: "type".into(),
        nonce: "7".into(),
    });
    assert_eq!((&*sotw.version_info, &*sotw.type_url, &*sotw.nonce), ("3", "type", "7"));
    assert_eq!(sotw.resources[0].type_url, "type");
}

#[test]
fn requests_of_a_client_are_what_the_generated_messages_say() {
    let metadata = wire::Metadata {
        fields: BTreeMap::from([("role".into(), wire::Value { string_value: "a~b".into() })]),
    };
    let node = wire::Node { id: "me".into(), metadata: Some(metadata), ..Default::default() };
    let theirs: discovery::DeltaDiscoveryRequest =
        ours(&wire::DeltaDiscoveryRequest { node: Some(node), ..Default::default() });
    let fields = theirs.node.unwrap().metadata.unwrap().fields;
    assert_eq!(fields["role"].kind, Some(Kind::StringValue("a~b".into())));
}
