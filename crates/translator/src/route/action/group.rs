//! `upstreamGroup`: the weighted destinations of an `UpstreamGroup`. Faults inside the group are
//! reported on the group.

use biplane_core::key::{Kind, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use envoy_types::pb::envoy::config::route::v3::route::Action;

use super::{At, invalid, weighted};
use crate::route::scope::Scope;

pub(super) fn translate(scope: &mut Scope<'_>, name: &ResourceRef, at: At<'_>) -> Option<Action> {
    let Some(group) = scope.lookup.upstream_group(name) else {
        let message = format!("UpstreamGroup {name} does not exist, requests to it fail");
        scope.report(Report::warning(at.object, (at.path)(), message));
        return Some(invalid::answer(scope, |_| missing(name)));
    };
    let path = || FieldPath::root().field("destinations");
    let object = name.key(Kind::UpstreamGroup);
    weighted::translate(scope, &group.destinations, At { object: &object, path: &path })
}

/// A cluster that cannot exist, for Envoy's log: cluster names of upstreams have neither `:` nor `/`.
fn missing(group: &ResourceRef) -> String {
    format!("upstream-group:{group}")
}
