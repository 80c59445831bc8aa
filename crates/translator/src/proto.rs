//! Small pieces of Envoy's messages that many places need.

use biplane_core::options::header_manipulation::HeaderValueOption as UserHeader;
use biplane_core::scalars::Duration as UserDuration;
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, HeaderValue, HeaderValueOption, SocketAddress,
};
use envoy_types::pb::google::protobuf::{
    BoolValue, Duration, Struct, UInt32Value, UInt64Value, Value, value,
};

/// A span of time.
pub(crate) fn duration(span: UserDuration) -> Duration {
    Duration {
        seconds: i64::try_from(span.0.as_secs()).expect("decoding bounds it by protobuf's own limit"),
        nanos: i32::try_from(span.0.subsec_nanos()).expect("below 10^9"),
    }
}

/// A number that may be left out.
pub(crate) const fn uint32(value: u32) -> UInt32Value {
    UInt32Value { value }
}

/// A large number that may be left out.
pub(crate) const fn uint64(value: u64) -> UInt64Value {
    UInt64Value { value }
}

/// A truth value that may be left out.
pub(crate) const fn boolean(value: bool) -> BoolValue {
    BoolValue { value }
}

/// A text value of a `Struct`.
pub(crate) fn text(text: &str) -> Value {
    Value { kind: Some(value::Kind::StringValue(text.to_owned())) }
}

/// A JSON object as a `Struct`.
pub(crate) fn object(map: &serde_json::Map<String, serde_json::Value>) -> Struct {
    Struct { fields: map.iter().map(|(key, value)| (key.clone(), json(value))).collect() }
}

fn json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let kind = match value {
        Json::Null => value::Kind::NullValue(0),
        Json::Bool(value) => value::Kind::BoolValue(*value),
        Json::Number(number) => value::Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Json::String(text) => value::Kind::StringValue(text.clone()),
        Json::Object(map) => value::Kind::StructValue(object(map)),
        Json::Array(values) => value::Kind::ListValue(envoy_types::pb::google::protobuf::ListValue {
            values: values.iter().map(json).collect(),
        }),
    };
    Value { kind: Some(kind) }
}

/// "Ask for it over the stream that this came by."
///
/// Envoy waits for its usual 15 s and goes on without. For load assignments and secrets that bound must stay:
/// a cluster that waits holds the acknowledgement of all later clusters.
pub(crate) fn ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    }
}

/// The same for routes, for which Envoy waits as long as it takes: a listener that went on without would answer
/// 404, and one that waits holds back nothing but itself; the listener that it replaces keeps serving.
pub(crate) fn ads_for_routes() -> ConfigSource {
    ConfigSource { initial_fetch_timeout: Some(Duration::default()), ..ads() }
}

/// A TCP address.
pub(crate) fn socket_address(address: &str, port: u32) -> Address {
    let socket = SocketAddress {
        address: address.to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(port)),
        ..SocketAddress::default()
    };
    Address { address: Some(AddressKind::SocketAddress(socket)) }
}

/// A header to add, in Envoy's words.
pub(crate) fn header(user: &UserHeader) -> HeaderValueOption {
    let action = if user.append == Some(false) {
        HeaderAppendAction::OverwriteIfExistsOrAdd
    } else {
        HeaderAppendAction::AppendIfExistsOrAdd
    };
    HeaderValueOption {
        header: Some(HeaderValue {
            key: user.header.key.clone(),
            value: user.header.value.clone(),
            ..HeaderValue::default()
        }),
        append_action: action.into(),
        ..HeaderValueOption::default()
    }
}
