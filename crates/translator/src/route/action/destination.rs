//! One upstream as a destination: its cluster, whether it exists, and the subset of its endpoints.
//!
//! Invariant: the only way to the name of an upstream's cluster is [`Target::name`], which notes that the
//! routes name it. So what is noted is what the encoded routes hold, whether the upstream exists or not.

use std::borrow::Cow;
use std::collections::HashMap;

use biplane_core::key::ResourceRef;
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

/// An upstream that a route is to name.
pub(super) struct Target<'a> {
    upstream: Cow<'a, ResourceRef>,
    /// Whether it exists.
    pub(super) exists: bool,
}

impl Target<'_> {
    /// The name of its cluster, for a route.
    ///
    /// A missing upstream is noted as well: when it appears, the route's bytes may stay as they are, and what
    /// they name must be known from the start for its cluster not to be taken away again under the route.
    pub(super) fn name(&self, scope: &mut Scope<'_>) -> String {
        scope.names(&self.upstream);
        names::cluster(&self.upstream)
    }
}

/// The upstream of a destination; reports one that does not exist. `None`: it names none.
pub(super) fn target<'a>(
    scope: &mut Scope<'_>,
    destination: &'a Destination,
    at: At<'_>,
) -> Option<Target<'a>> {
    let upstream = match (&destination.upstream, &destination.consul) {
        (Some(upstream), _) => Cow::Borrowed(upstream),
        (None, Some(consul)) => Cow::Owned(consul.upstream()),
        (None, None) => {
            scope.report(Report::error(at.object, (at.path)(), "the destination names no upstream"));
            return None;
        }
    };
    let exists = scope.lookup.has_upstream(&upstream);
    if !exists {
        let message = format!("Upstream {upstream} does not exist, requests to it fail");
        scope.report(Report::warning(at.object, (at.path)().field("upstream"), message));
    }
    Some(Target { upstream, exists })
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
