//! What one translation carries along: whom it may ask, and what it gathers besides the routes.

use std::collections::BTreeSet;
use std::sync::Arc;

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;

use super::{EncodedRoute, RouteSet, route_path};
use crate::lookup::Lookup;
use crate::resource::EnvoyName;

/// The translation of one virtual service.
pub(super) struct Scope<'a> {
    /// The virtual service.
    pub(super) service: Arc<ObjectKey>,
    /// The other objects.
    pub(super) lookup: &'a dyn Lookup,
    /// Whether the routes are for clients only that have shown a certificate.
    pub(super) verified: bool,
    /// What has been gathered.
    pub(super) set: RouteSet,
    /// Whether a secret is missing that the virtual host puts into all requests.
    pub(super) withheld: bool,
    /// The upstreams whose clusters the routes name.
    clusters: BTreeSet<ResourceRef>,
    /// The secrets whose headers requests carry.
    secrets: BTreeSet<ResourceRef>,
    /// What routes would need if more were known.
    lacks: BTreeSet<EnvoyName>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(service: &ObjectKey, lookup: &'a dyn Lookup) -> Self {
        let service = Arc::new(service.clone());
        Self {
            service,
            lookup,
            verified: false,
            set: RouteSet::default(),
            withheld: false,
            clusters: BTreeSet::new(),
            secrets: BTreeSet::new(),
            lacks: BTreeSet::new(),
        }
    }

    /// Everything that was gathered, with the routes. A table that is reached twice says everything
    /// twice, hence the deduplication.
    pub(super) fn finish(mut self, routes: Vec<EncodedRoute>) -> RouteSet {
        self.set.reports.sort();
        self.set.reports.dedup();
        self.set.clusters = self.clusters.into_iter().collect();
        self.set.secrets = self.secrets.into_iter().collect();
        self.set.lacks = self.lacks.into_iter().collect();
        self.set.routes = routes;
        self.set
    }

    pub(super) fn report(&mut self, report: Report) {
        self.set.reports.push(report);
    }

    /// Notes that the routes name the cluster of `upstream`.
    pub(super) fn names(&mut self, upstream: &ResourceRef) {
        if !self.clusters.contains(upstream) {
            self.clusters.insert(upstream.clone());
        }
    }

    /// Notes that the routes would need these if more were known.
    pub(super) fn lacks(&mut self, names: impl IntoIterator<Item = EnvoyName>) {
        self.lacks.extend(names);
    }

    /// Notes that requests carry headers of `secret`.
    pub(super) fn carries(&mut self, secret: &ResourceRef) {
        if !self.secrets.contains(secret) {
            self.secrets.insert(secret.clone());
        }
    }
}

/// A route of an object.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The virtual service or route table.
    pub(super) owner: &'a Arc<ObjectKey>,
    /// The route, from 0.
    pub(super) index: usize,
}

impl Place<'_> {
    pub(super) fn path(&self) -> FieldPath {
        route_path(self.owner, self.index)
    }

    /// The position of a matcher of this route.
    pub(super) fn position(&self, matcher: Option<usize>) -> super::Position {
        let narrow = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        super::Position { route: narrow(self.index), matcher: matcher.map(narrow) }
    }

    pub(super) fn warning(&self, path: FieldPath, message: impl Into<String>) -> Report {
        Report::warning(self.owner, path, message)
    }

    pub(super) fn error(&self, path: FieldPath, message: impl Into<String>) -> Report {
        Report::error(self.owner, path, message)
    }
}
