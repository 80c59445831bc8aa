//! What runs under valgrind: a configuration, and changes to it inside functions whose names begin with `counted_`,
//! in the order in which [`callgrind`](crate::callgrind) reads the counts.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use biplane_control_plane::engine::Engine;
use biplane_control_plane::graph::{Edit, Graph};
use biplane_control_plane::hold::Holds;
use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::resources::{Gateway, Object, Spec};
use biplane_store::{Changes, Identity, Listing, Revision, SourceEvent, StoredObject};
use biplane_translator::{EnvoyName, EnvoyType, route};
use biplane_xds::{Fleets, Resource, ResourceName, ResourceType};
use bytes::Bytes;
use tokio::time::Instant;

use crate::world::{self, Change};

/// The fleet of a gateway that names none.
const FLEET: &str = "gateway-proxy";

/// Changes before the counted one, so that maps and allocator have settled.
const WARM_UP: usize = 8;

/// Everything that is counted, for one size.
pub(crate) fn run(routes: usize) {
    let objects = world::objects(routes);
    let fleets = Fleets::new();
    let mut engine = Engine::new(fleets.clone(), Holds::new(Duration::from_secs(30)), Vec::new());
    engine.on_event(listing(objects.clone()), Instant::now());
    for change in Change::ALL {
        count_events(&mut engine, change, routes);
    }
    count_joining(&fleets, &objects);
    drop(engine);
    count_graph(&objects, routes);
}

fn count_events(engine: &mut Engine, change: Change, routes: usize) {
    for turn in 1..=WARM_UP {
        engine.on_event(put(world::changed(change, routes, turn)), Instant::now());
    }
    let event = put(world::changed(change, routes, WARM_UP + 1));
    counted_event(engine, event, Instant::now());
}

fn count_graph(objects: &[StoredObject], routes: usize) {
    let edits: Vec<_> = objects.iter().map(edit).collect();
    let mut graph = Graph::default();
    graph.apply(&edits);
    for change in Change::ALL {
        for turn in 1..=WARM_UP {
            graph.apply(&[edit(&world::changed(change, routes, turn))]);
        }
        let edits = [edit(&world::changed(change, routes, WARM_UP + 1))];
        drop(counted_graph(&mut graph, &edits));
    }
}

/// The joining as the graph does it, over the hosts of the published route configuration.
fn count_joining(fleets: &Fleets, objects: &[StoredObject]) {
    let snapshot = fleets.snapshot(FLEET).expect("the gateway's fleet was published");
    let published = snapshot.resources(ResourceType::Route).next().expect("the gateway has routes").clone();
    let hosts = hosts(&published.body);
    let clusters = snapshot.resources(ResourceType::Cluster);
    let clusters = clusters.map(|cluster| EnvoyName::new(EnvoyType::Cluster, &*cluster.name.name)).collect();
    let gateway = objects.iter().find(|object| object.key.kind == Kind::Gateway).expect("there is a gateway");
    let Spec::Gateway(spec) = decoded(gateway).spec else {
        unreachable!("its key says that it is a gateway")
    };
    let joined = counted_joining(&hosts, (&gateway.key, &spec), clusters, published.references.clone());
    assert_eq!(joined.body, published.body, "the joining that is counted is the one that is done");
}

/// From a store's event to the published snapshot.
#[inline(never)]
fn counted_event(engine: &mut Engine, event: SourceEvent, now: Instant) {
    engine.on_event(event, now);
    black_box(()); // without it this is a jump, and callgrind sees no return
}

/// From a decoded object to what changes for each fleet.
#[inline(never)]
fn counted_graph(graph: &mut Graph, edits: &[Edit]) -> BTreeMap<String, biplane_xds::Change> {
    black_box(graph.apply(edits))
}

/// The copying and hashing of a whole route configuration.
#[inline(never)]
fn counted_joining(
    hosts: &BTreeMap<Arc<str>, Bytes>,
    gateway: (&ObjectKey, &Gateway),
    clusters: Arc<[EnvoyName]>,
    references: Arc<[ResourceName]>,
) -> Resource {
    let bytes = hosts.values().map(Bytes::len).sum();
    let joined =
        route::route_configuration("listener-127.0.0.1-8080", gateway, hosts.values(), bytes, clusters);
    let name = ResourceName::new(ResourceType::Route, joined.name.name);
    black_box(Resource::new(name, joined.body, references, []))
}

fn listing(items: Vec<StoredObject>) -> SourceEvent {
    let identity = Identity::new("bench");
    SourceEvent::Complete(Listing { identity, revision: Revision(0), items, faults: Vec::new() })
}

fn put(object: StoredObject) -> SourceEvent {
    let revision = object.revision;
    SourceEvent::Changes(Changes {
        revision,
        changes: vec![biplane_store::Change::Put(object)],
        faults: None,
    })
}

fn edit(object: &StoredObject) -> Edit {
    Edit::Put(Box::new(decoded(object)), None)
}

fn decoded(object: &StoredObject) -> Object {
    let text = std::str::from_utf8(&object.value).expect("the world is text");
    decode(text, &object.key, &object.location).object.expect("the world is valid")
}

/// The virtual hosts of an encoded `RouteConfiguration`: its fields of number 2.
fn hosts(mut body: &[u8]) -> BTreeMap<Arc<str>, Bytes> {
    const VIRTUAL_HOSTS: u64 = 2;
    let mut hosts = BTreeMap::new();
    while !body.is_empty() {
        let key = varint(&mut body);
        let length = varint(&mut body);
        if key & 7 != 2 {
            continue; // a number; a route configuration has no fixed-length fields
        }
        let (value, rest) = body.split_at(usize::try_from(length).expect("a length"));
        body = rest;
        if key >> 3 == VIRTUAL_HOSTS {
            hosts.insert(format!("{:08}", hosts.len()).into(), Bytes::copy_from_slice(value));
        }
    }
    hosts
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("the message is whole");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
    }
    value
}
