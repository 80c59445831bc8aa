//! Rules of what is looked up and made, on its way through the whole engine.

mod endpoints;
mod left;
mod made;
mod opening;

use std::num::NonZeroU16;
use std::time::Duration;

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::resources::Endpoint;
use biplane_core::resources::metadata::MADE_BY;
use biplane_source::Listing as Told;
use biplane_store::{Change, Changes, Identity, Listing, Revision, SourceEvent, StoreError, StoredObject};
use biplane_xds::{Fleets, ResourceType};
use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use super::{Engine, MadeState};
use crate::catalog::Made;
use crate::discovery::{Discovery, DiscoverySource};
use crate::hold::Holds;
use crate::ingest::MadeObject;

const HOLD: Duration = Duration::from_secs(30);
const GATEWAY: &str = "bindAddress: 127.0.0.1\nbindPort: 8080\nhttpGateway: {}\n";
const WEB: &str = "consul: {serviceName: web}\n";

/// An engine with a Consul, at a time that tests move.
struct World {
    engine: Engine,
    fleets: Fleets,
    now: Instant,
}

impl World {
    fn new(fallback: Vec<StoredObject>) -> Self {
        Self::with(fallback, false)
    }

    /// The same; says whether the Consul is required.
    fn with(fallback: Vec<StoredObject>, required: bool) -> Self {
        let fleets = Fleets::new();
        let consul = DiscoverySource { name: "consul".into(), kind: "consul", required };
        let engine = Engine::new(fleets.clone(), Holds::new(HOLD), fallback)
            .with_discovery(Discovery::new(vec![consul], Vec::new()))
            .with_made(MadeState::waiting(["consul".into()]));
        Self { engine, fleets, now: Instant::now() }
    }

    fn list(&mut self, items: Vec<StoredObject>) {
        let listing =
            Listing { identity: Identity::new("test"), revision: Revision(1), items, faults: Vec::new() };
        self.engine.on_event(SourceEvent::Complete(listing), self.now);
    }

    fn change(&mut self, changes: Vec<Change>) {
        let changes = Changes { revision: Revision(2), changes, faults: None };
        self.engine.on_event(SourceEvent::Changes(changes), self.now);
    }

    fn fail(&mut self) {
        let error = StoreError::unavailable("gone");
        self.engine.on_event(SourceEvent::Failed { error, since: self.now }, self.now);
    }

    fn make(&mut self, puts: Vec<MadeObject>, deletions: Vec<ObjectKey>) {
        self.engine.on_made(Made { puts, deletions, ..Made::default() }, self.now);
    }

    /// The same while not everything is known.
    fn make_some(&mut self, puts: Vec<MadeObject>, deletions: Vec<ObjectKey>) {
        let waits_for = ["consul".into()].into();
        self.engine.on_made(Made { puts, deletions, waits_for, ..Made::default() }, self.now);
    }

    /// Consul tells about everything that is asked.
    fn tell(&mut self, ports: &[u16]) {
        let endpoints: Vec<_> = ports.iter().map(|port| endpoint(*port)).collect();
        let questions: Vec<_> = self.engine.discovery().wanted().keys().cloned().collect();
        let told = questions
            .into_iter()
            .map(|question| crate::discovery::Told { question, listing: Told::Complete(endpoints.clone()) });
        self.engine.on_endpoints(told.collect(), self.now);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.engine.on_deadline(self.now);
    }

    /// The names of the clusters that Envoys have.
    fn clusters(&self) -> Vec<String> {
        let snapshot = self.fleets.snapshot("gateway-proxy");
        let names = snapshot.iter().flat_map(|snapshot| snapshot.resources(ResourceType::Cluster));
        names.map(|resource| resource.name.name.to_string()).collect()
    }

    /// What Envoys keep because nobody knows what is in it.
    fn unknown(&self) -> Vec<String> {
        let snapshot = self.fleets.snapshot("gateway-proxy");
        snapshot.iter().flat_map(|snapshot| snapshot.unknown()).map(ToString::to_string).collect()
    }
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::new([127, 0, 0, 1].into(), NonZeroU16::new(port).expect("tests name real ports"))
}

fn object(kind: Kind, name: &str, fields: &str) -> StoredObject {
    StoredObject {
        key: ObjectKey::new(kind, "default", name),
        value: Bytes::from(format!("metadata: {{name: {name}, namespace: default}}\n{fields}")),
        location: Location::file(format!("{name}.yaml"), 1),
        revision: Revision(1),
        created: None,
    }
}

fn gateway() -> StoredObject {
    object(Kind::Gateway, "g", GATEWAY)
}

fn route(name: &str, upstream: &str) -> StoredObject {
    let fields = format!(
        "virtualHost: {{domains: [{name}], routes: [{{routeAction: {{single: {{upstream: {{name: {upstream}}}}}}}}}]}}\n"
    );
    object(Kind::VirtualService, name, &fields)
}

fn made(kind: Kind, name: &str, mut value: serde_json::Value) -> MadeObject {
    value["metadata"] = json!({"name": name, "namespace": "default", "labels": {MADE_BY: "consul"}});
    MadeObject { key: ObjectKey::new(kind, "default", name), value }
}

fn made_upstream(name: &str, service: &str) -> MadeObject {
    made(Kind::Upstream, name, json!({"consul": {"serviceName": service}}))
}

fn made_route(name: &str, upstream: &str) -> MadeObject {
    let single = json!({"single": {"upstream": {"name": upstream, "namespace": "default"}}});
    made(
        Kind::VirtualService,
        name,
        json!({"virtualHost": {"domains": [name], "routes": [{"routeAction": single}]}}),
    )
}

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "default", name)
}
