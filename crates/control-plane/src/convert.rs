//! The translator's resources as the xDS server takes them. The two crates know nothing of each
//! other; this is the only place where their words meet.

use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_translator::{EnvoyName, EnvoyResource, EnvoyType};
use biplane_xds::{Resource, ResourceName, ResourceType};

/// The xDS type of an Envoy type.
pub(crate) const fn resource_type(kind: EnvoyType) -> ResourceType {
    match kind {
        EnvoyType::Cluster => ResourceType::Cluster,
        EnvoyType::Endpoint => ResourceType::Endpoint,
        EnvoyType::Secret => ResourceType::Secret,
        EnvoyType::Listener => ResourceType::Listener,
        EnvoyType::Route => ResourceType::Route,
    }
}

/// The xDS name of an Envoy name.
pub(crate) fn name(name: &EnvoyName) -> ResourceName {
    ResourceName { kind: resource_type(name.kind), name: name.name.clone() }
}

/// The names of a list, sorted as xDS names.
pub(crate) fn names(list: &[EnvoyName]) -> Arc<[ResourceName]> {
    let mut names: Vec<_> = list.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    names.into()
}

/// The resource, framed once for every client.
pub(crate) fn resource(resource: EnvoyResource) -> Arc<Resource> {
    let references = names(&resource.references);
    with_references(resource, references)
}

/// The same with references that were converted, sorted and made unique before.
pub(crate) fn with_references(resource: EnvoyResource, references: Arc<[ResourceName]>) -> Arc<Resource> {
    let origins: Arc<[Arc<str>]> = resource.origins.iter().map(origin).collect();
    Arc::new(Resource::with_sorted(name(&resource.name), resource.body, references, origins))
}

fn origin(key: &ObjectKey) -> Arc<str> {
    key.to_string().into()
}
