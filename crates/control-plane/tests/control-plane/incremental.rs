//! The graph's promise: whatever the edits and their order, fleets hold the very bytes that a
//! translation from scratch gives.

use std::collections::BTreeMap;

use biplane_control_plane::graph::{Edit, Graph};
use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_xds::{Change, ResourceName, ResourceType};
use bytes::Bytes;
use proptest::prelude::*;

use crate::edits::{Batch, batch};

/// The body, none while it is unknown; what it names; its origins.
type Content = (Option<Bytes>, Vec<ResourceName>, Vec<String>);
type Fleets = BTreeMap<String, BTreeMap<ResourceName, Content>>;

fn apply(fleets: &mut Fleets, changes: BTreeMap<String, Change>) {
    for (name, change) in changes {
        let fleet = fleets.entry(name).or_default();
        for resource in change.upserts {
            let origins = resource.origins.iter().map(ToString::to_string).collect();
            let names = resource.references.iter().chain(&*resource.lacks).cloned().collect();
            fleet.insert(resource.name.clone(), (Some(resource.body.clone()), names, origins));
        }
        for name in change.removals {
            fleet.remove(&name);
        }
        for name in change.unknown {
            fleet.insert(name, (None, Vec::new(), Vec::new()));
        }
    }
    fleets.retain(|_, fleet| !fleet.is_empty());
}

fn remember(objects: &mut BTreeMap<ObjectKey, Edit>, batch: &Batch) {
    for edit in batch {
        match edit {
            Edit::Put(..) => objects.insert(edit.key().clone(), edit.clone()),
            Edit::Delete(key) | Edit::Endpoints(key, _) => objects.remove(key),
        };
    }
}

fn from_scratch(objects: &BTreeMap<ObjectKey, Edit>, backwards: bool) -> (Fleets, Graph) {
    let mut edits: Vec<_> = objects.values().cloned().collect();
    if backwards {
        edits.reverse();
    }
    let (mut graph, mut fleets) = (Graph::default(), Fleets::new());
    apply(&mut fleets, graph.apply(&edits));
    (fleets, graph)
}

fn gateway(namespace: &str, name: &str, metadata: &str, port: u16, fleet: &str) -> Edit {
    let text = format!(
        "metadata: {{name: {name}, namespace: {namespace}{metadata}}}\n\
         bindAddress: 127.0.0.1\nbindPort: {port}\nproxyNames: [{fleet}]\nhttpGateway: {{}}\n"
    );
    let key = ObjectKey::new(Kind::Gateway, namespace, name);
    let decoded = decode(&text, &key, &Location::file("gateway.yaml", 1));
    Edit::Put(Box::new(decoded.object.expect("it is good")), None)
}

#[test]
fn gateway_that_inherits_an_address_while_it_moves_takes_nothing_from_where_it_was() {
    let batches = [
        vec![gateway("two", "a", "", 8081, "edge")],
        vec![gateway("one", "b", "", 8081, "inner")],
        vec![gateway("two", "c", ", creationTimestamp: 2026-01-01T00:00:00Z", 8080, "edge")],
        vec![gateway("two", "c", "", 8080, "inner"), gateway("one", "b", "", 8080, "edge")],
    ];
    let (mut graph, mut fleets, mut objects) = (Graph::default(), Fleets::new(), BTreeMap::new());
    for batch in &batches {
        remember(&mut objects, batch);
        apply(&mut fleets, graph.apply(batch));
    }
    assert_eq!(fleets, from_scratch(&objects, false).0);
}

/// Each case translates the world from scratch after every batch; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn edits_one_by_one_give_the_bytes_of_a_translation_from_scratch(
        batches in proptest::collection::vec(batch(), 1..14)
    ) {
        let (mut graph, mut fleets, mut objects) = (Graph::default(), Fleets::new(), BTreeMap::new());
        for (step, batch) in batches.iter().enumerate() {
            remember(&mut objects, batch);
            apply(&mut fleets, graph.apply(batch));
            let (expected, scratch) = from_scratch(&objects, step % 2 == 0);
            prop_assert_eq!(&fleets, &expected);
            prop_assert_eq!(graph.reports(), scratch.reports());
        }
        let everything: Vec<_> = objects.keys().cloned().map(Edit::Delete).collect();
        apply(&mut fleets, graph.apply(&everything));
        prop_assert_eq!(fleets, Fleets::new());
        prop_assert!(graph.is_empty(), "something is left behind: {graph:?}");
    }

    #[test]
    fn every_reference_of_a_fleet_is_in_it_or_nowhere(batches in proptest::collection::vec(batch(), 1..10)) {
        let (mut graph, mut fleets, mut objects) = (Graph::default(), Fleets::new(), BTreeMap::new());
        for batch in &batches {
            remember(&mut objects, batch);
            apply(&mut fleets, graph.apply(batch));
        }
        for fleet in fleets.values() {
            let named: std::collections::BTreeSet<_> = fleet.values().flat_map(|content| &content.1).collect();
            let is_root = |name: &ResourceName| name.kind == ResourceType::Listener;
            // What names something may be unknown itself.
            let is_known = |name: &ResourceName| fleet[name].0.is_some();
            let waits = fleet.keys().any(|name| is_root(name) && !is_known(name));
            let is_needed = |name: &&ResourceName| {
                is_root(name) || !is_known(name) || waits && name.kind == ResourceType::Route
            };
            for name in fleet.keys().filter(|name| !is_needed(name)) {
                prop_assert!(named.contains(name), "{name} is in the fleet, but nothing names it");
            }
        }
    }
}
