//! One upstream as a destination: its cluster, whether it exists, and the subset of its endpoints.

use std::collections::HashMap;

use biplane_core::report::Report;
use biplane_core::resources::route::{Destination, Subset};
use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::google::protobuf::Struct;

use super::At;
use crate::names;
use crate::proto::text;
use crate::route::scope::Scope;

/// The namespace of metadata that Envoy's subset load balancer looks at.
const SUBSET_METADATA: &str = "envoy.lb";

/// A cluster that a route names.
pub(super) struct Target {
    /// Its name.
    pub(super) cluster: String,
    /// Whether it exists.
    pub(super) exists: bool,
}

/// The cluster of a destination; reports an upstream that does not exist. `None`: it names none.
pub(super) fn target(scope: &mut Scope<'_>, destination: &Destination, at: At<'_>) -> Option<Target> {
    let Some(upstream) = &destination.upstream else {
        scope.report(Report::error(at.object, (at.path)(), "the destination names no upstream"));
        return None;
    };
    let exists = scope.lookup.has_upstream(upstream);
    if !exists {
        let message = format!("Upstream {upstream} does not exist, requests to it fail");
        scope.report(Report::warning(at.object, (at.path)().field("upstream"), message));
    } else if !scope.set.clusters.contains(upstream) {
        scope.set.clusters.insert(upstream.clone());
    }
    Some(Target { cluster: names::cluster(upstream), exists })
}

/// What an endpoint's metadata must hold.
pub(super) fn subset(subset: Option<&Subset>) -> Option<Metadata> {
    let values = &subset?.values;
    let fields = values.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let metadata = Metadata {
        filter_metadata: HashMap::from([(SUBSET_METADATA.to_owned(), Struct { fields })]),
        ..Metadata::default()
    };
    (!values.is_empty()).then_some(metadata)
}
