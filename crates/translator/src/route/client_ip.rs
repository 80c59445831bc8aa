//! Matching by the address of the client.
//!
//! Envoy's routes do not see connections. A network filter in front of the HTTP connection manager writes the
//! address into the connection's filter state once ([`KEEPER`]), and routes match on that. Envoy parses it as
//! an address (`envoy.network.ip`), so that IPv4 clients of an IPv6 socket match IPv4 networks.

use biplane_core::resources::route::ClientIpMatcher;
use envoy_types::pb::envoy::config::core::v3::SubstitutionFormatString;
use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::config::listener::v3::Filter;
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::FilterStateValue;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::filter_state_value::{
    Key, Value,
};
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3::Config;
use envoy_types::pb::envoy::r#type::matcher::v3::filter_state_matcher::Matcher;
use envoy_types::pb::envoy::r#type::matcher::v3::{AddressMatcher, FilterStateMatcher};
use envoy_types::pb::xds::core::v3::CidrRange;

use crate::{encode, proto};

/// The name in the filter state.
pub(crate) const KEY: &str = "biplane.client_ip";
/// The filter that writes it.
const KEEPER: &str = "envoy.filters.network.set_filter_state";

/// Envoy's matcher.
pub(super) fn translate(client: &ClientIpMatcher) -> FilterStateMatcher {
    let ranges = client.ranges.iter().filter_map(|range| ClientIpMatcher::range(range));
    let ranges = ranges.map(|(address, bits)| CidrRange {
        address_prefix: address.to_string(),
        prefix_len: Some(proto::uint32(u32::from(bits))),
    });
    let matcher = AddressMatcher { ranges: ranges.collect(), invert_match: client.invert_match };
    FilterStateMatcher { key: KEY.to_owned(), matcher: Some(Matcher::AddressMatch(matcher)) }
}

/// What it matches, as words; equal networks have equal words.
pub(super) fn words(client: &ClientIpMatcher) -> Vec<String> {
    let ranges = client.ranges.iter().map(|text| match ClientIpMatcher::range(text) {
        Some((address, bits)) => format!("{address}/{bits}"),
        None => text.clone(),
    });
    let mut words: Vec<_> = ranges.collect();
    words.sort();
    words.push(client.invert_match.to_string());
    words
}

/// The filter that every filter chain begins with: a route may match on the address at any time, and a listener
/// that changes drains its connections.
pub(crate) fn keeper() -> Filter {
    let text = DataSource {
        specifier: Some(Specifier::InlineString("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%".to_owned())),
        ..DataSource::default()
    };
    let format =
        SubstitutionFormatString { format: Some(Format::TextFormatSource(text)), ..Default::default() };
    let value = FilterStateValue {
        key: Some(Key::ObjectKey(KEY.to_owned())),
        factory_key: "envoy.network.ip".to_owned(),
        value: Some(Value::FormatString(format)),
        ..FilterStateValue::default()
    };
    let config = Config { on_new_connection: vec![value], ..Config::default() };
    Filter { name: KEEPER.to_owned(), config_type: Some(ConfigType::TypedConfig(encode::any(&config))) }
}
