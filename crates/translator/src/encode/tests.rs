//! Equal content gives equal bytes, however its maps were filled.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, LbEndpoint, LocalityLbEndpoints};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::Cors;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use proptest::prelude::{Strategy, any as arbitrary, prop, prop_assert_eq, prop_oneof, proptest};
use prost::{Message, Name};

use super::*;

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

/// A struct whose map was filled in the order of `entries`, with a capacity of its own.
fn object(entries: &[(String, Value)], capacity: usize) -> Struct {
    let mut fields = HashMap::with_capacity(capacity);
    fields.extend(entries.iter().cloned());
    Struct { fields }
}

fn endpoints(metadata: Struct) -> ClusterLoadAssignment {
    let typed = HashMap::from([("typed".to_owned(), any(&metadata)), ("again".to_owned(), any(&metadata))]);
    let metadata = HashMap::from([("envoy.lb".to_owned(), metadata.clone()), ("other".to_owned(), metadata)]);
    let endpoint = LbEndpoint {
        metadata: Some(Metadata { filter_metadata: metadata, typed_filter_metadata: typed }),
        ..LbEndpoint::default()
    };
    let locality = LocalityLbEndpoints { lb_endpoints: vec![endpoint], priority: 3, ..Default::default() };
    ClusterLoadAssignment {
        cluster_name: "c".into(),
        endpoints: vec![locality],
        ..ClusterLoadAssignment::default()
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        arbitrary::<bool>().prop_map(|value| Value { kind: Some(Kind::BoolValue(value)) }),
        "[a-z]{0,3}".prop_map(|value| text(&value)),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop::collection::hash_map("[a-z]{0,3}", inner, 0..6)
            .prop_map(|fields| Value { kind: Some(Kind::StructValue(Struct { fields })) })
    })
}

proptest! {
    #[test]
    fn equal_content_gives_equal_bytes(
        entries in prop::collection::btree_map("[a-z]{0,4}", values(), 0..12)
            .prop_map(|map| map.into_iter().collect::<Vec<_>>()),
        capacity in 0_usize..200,
        turn in arbitrary::<prop::sample::Index>(),
    ) {
        let mut turned = entries.clone();
        if !turned.is_empty() {
            turned.rotate_left(turn.index(entries.len()));
            turned.reverse();
        }
        let name = ClusterLoadAssignment::full_name();
        let one = canonical(&name, &endpoints(object(&entries, 0)));
        let other = canonical(&name, &endpoints(object(&turned, capacity)));
        prop_assert_eq!(&one, &other);
        let back = ClusterLoadAssignment::decode(one).unwrap();
        prop_assert_eq!(back.encode_to_vec().len(), other.len());
        prop_assert_eq!(canonical(&name, &back), other);
    }

    #[test]
    fn bytes_that_are_no_message_do_no_harm(mut bytes in prop::collection::vec(arbitrary::<u8>(), 0..64)) {
        let before = bytes.len();
        sort_maps("envoy.config.endpoint.v3.ClusterLoadAssignment", &mut bytes);
        sort_maps("google.protobuf.Struct", &mut bytes);
        sort_maps("google.protobuf.Any", &mut bytes);
        prop_assert_eq!(bytes.len(), before);
    }
}

/// The same bytes in this process as in the one in which they were written down.
#[test]
fn entries_are_sorted_by_key_in_every_process() {
    let entries: Vec<_> = ["d", "b", "", "c", "a"].map(|key| (key.to_owned(), text(key))).into();
    let bytes = canonical("google.protobuf.Struct", &object(&entries, 64));
    assert_eq!(
        bytes,
        b"\x0a\x04\x12\x02\x1a\x00\x0a\x08\x0a\x01a\x12\x03\x1a\x01a\x0a\x08\x0a\x01b\x12\x03\x1a\x01b\
          \x0a\x08\x0a\x01c\x12\x03\x1a\x01c\x0a\x08\x0a\x01d\x12\x03\x1a\x01d"
            .as_slice()
    );
}

#[test]
fn any_has_the_type_url_and_sorted_value() {
    let entries: Vec<_> = ["b", "a"].map(|key| (key.to_owned(), text(key))).into();
    let packed = any(&object(&entries, 0));
    assert_eq!(packed.type_url, "type.googleapis.com/google.protobuf.Struct");
    assert_eq!(packed.value, canonical("google.protobuf.Struct", &object(&entries, 32)));
}

/// What has no map inside ends no sorting of the map around it.
#[test]
fn map_of_messages_without_maps_is_sorted() {
    let filters = |names: &[&str]| {
        let empty = names.iter().map(|name| ((*name).to_owned(), any(&Cors {})));
        let route = Route { typed_per_filter_config: empty.collect(), ..Route::default() };
        canonical(&Route::full_name(), &route)
    };
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let turned: Vec<_> = names.iter().rev().copied().collect();
    for _ in 0..16 {
        assert_eq!(filters(&names), filters(&turned));
    }
}
