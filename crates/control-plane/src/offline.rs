//! The translation without a server: what `validate` and `translate` do.

use std::collections::BTreeMap;

use biplane_core::report::Report;
use biplane_core::resources::Object;
use biplane_store::Store;
use biplane_translator::{EnvoyName, EnvoyResource, EnvoyType};
use biplane_xds::{Resource, ResourceType};

use crate::graph::{Edit, Graph};
use crate::ingest::{Ingest, locate};

/// Everything that a store holds, decoded.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The objects that are good, with the store's create revision.
    pub objects: Vec<(Object, Option<u64>)>,
    /// What is wrong with the others, and what is odd about these.
    pub reports: Vec<Report>,
    ingest: Ingest,
}

/// What Envoys would get.
#[derive(Debug, Default)]
pub struct Translation {
    /// All resources of each fleet, sorted by name.
    pub fleets: BTreeMap<String, Vec<EnvoyResource>>,
    /// Findings of the translation, with their places.
    pub reports: Vec<Report>,
}

/// Reads a store once and decodes everything, collecting all findings.
pub async fn load(store: &dyn Store) -> anyhow::Result<Loaded> {
    let listing = store.list().await?;
    let mut loaded = Loaded::default();
    let edits = loaded.ingest.listing(listing);
    loaded.reports = loaded.ingest.reports();
    loaded.reports.sort_unstable();
    loaded.objects = edits.puts.into_iter().filter_map(put).collect();
    Ok(loaded)
}

fn put(edit: Edit) -> Option<(Object, Option<u64>)> {
    match edit {
        Edit::Put(object, created) => Some((*object, created)),
        Edit::Delete(_) | Edit::Endpoints(..) => None,
    }
}

/// Translates everything from scratch.
pub fn translate(loaded: &Loaded) -> Translation {
    let mut graph = Graph::assuming_secrets();
    let edit = |(object, created): &(Object, Option<u64>)| Edit::Put(Box::new(object.clone()), *created);
    let edits: Vec<_> = loaded.objects.iter().map(edit).collect();
    let changes = graph.apply(&edits);
    let fleet = |change: biplane_xds::Change| {
        change.upserts.iter().map(|resource| envoy_resource(resource)).collect()
    };
    let fleets = changes.into_iter().map(|(name, change)| (name, fleet(change))).collect();
    let mut reports = graph.reports();
    locate(&mut reports, loaded.ingest.good());
    reports.sort_unstable();
    Translation { fleets, reports }
}

fn envoy_resource(resource: &Resource) -> EnvoyResource {
    let name = |name: &biplane_xds::ResourceName| EnvoyName::new(envoy_type(name.kind), name.name.clone());
    EnvoyResource {
        name: name(&resource.name),
        body: resource.body.clone(),
        references: resource.references.iter().map(name).collect(),
        origins: [].into(),
    }
}

fn envoy_type(kind: ResourceType) -> EnvoyType {
    match kind {
        ResourceType::Cluster => EnvoyType::Cluster,
        ResourceType::Endpoint => EnvoyType::Endpoint,
        ResourceType::Secret => EnvoyType::Secret,
        ResourceType::Route => EnvoyType::Route,
        ResourceType::Listener => EnvoyType::Listener,
        other => unreachable!("the graph makes no {other}"),
    }
}
