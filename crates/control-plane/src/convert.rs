//! The translator's resources as the xDS server takes them. The two crates know nothing of each
//! other; this is the only place where their words meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_translator::{self as translator, EnvoyName, EnvoyResource, EnvoyType};
use biplane_xds::{Resource, ResourceName, ResourceType};

use crate::graph::{Content, Unknown};

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

/// What a translation has made, with each resource framed once for every client.
pub(crate) fn contents(resources: Vec<EnvoyResource>, unknown: Vec<translator::Unknown>) -> Vec<Content> {
    let unknown = unknown.into_iter().map(|unknown| (name(&unknown.name), names(&unknown.references)));
    let mut unknown: BTreeMap<_, _> = unknown.collect();
    let known = resources.into_iter().map(|resource| {
        let references = names(&resource.references);
        let lacks = unknown.remove(&name(&resource.name)).unwrap_or_default();
        Content::Known(Arc::new(with_references(resource, references, lacks)))
    });
    let mut contents: Vec<_> = known.collect();
    let unknown = unknown.into_iter().map(|(name, references)| Unknown { name, references });
    contents.extend(unknown.map(|unknown| Content::Unknown(Arc::new(unknown))));
    contents
}

/// The resource, with references that were converted, sorted and made unique before, and what it lacks.
pub(crate) fn with_references(
    resource: EnvoyResource,
    references: Arc<[ResourceName]>,
    lacks: Arc<[ResourceName]>,
) -> Resource {
    let origins: Arc<[Arc<str>]> = resource.origins.iter().map(origin).collect();
    Resource::with_sorted(name(&resource.name), resource.body, references, origins).lacking(lacks)
}

fn origin(key: &ObjectKey) -> Arc<str> {
    key.to_string().into()
}
