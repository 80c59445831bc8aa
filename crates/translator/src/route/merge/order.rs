//! The order of the routes of several services in one virtual host: the more specific first, as
//! far as each service's own order allows; of equals the older service's first.
//!
//! A service's own order means something only between routes that can match the same request. So
//! each route gets a rank: its specificity, or that of a less specific route of its service which
//! stands before it and overlaps it, whichever sorts later. Sorting by rank then keeps the order of
//! all that overlap.

use std::collections::HashMap;

use biplane_core::key::ObjectKey;

use super::super::wire::{self, Path};
use super::super::{EncodedRoute, RouteSet, Specificity};
use super::conflict::Index;

/// The routes at `indices` (which come service by service, each in its own order) in the order of
/// the virtual host.
pub(super) fn merged(services: &[(&ObjectKey, &RouteSet)], indices: &[Index]) -> Vec<Index> {
    let mut ranked = Vec::with_capacity(indices.len());
    for routes in indices.chunk_by(|a, b| a.0 == b.0) {
        let mut earlier = Earlier::default();
        for &(service, index) in routes {
            let route = &services[service].1.routes[index];
            ranked.push((earlier.rank(route), service, index));
        }
    }
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, service, index)| (service, index)).collect()
}

/// The routes of one service so far, by what they can match.
#[derive(Default)]
struct Earlier<'a> {
    /// The latest rank of all.
    latest: Option<Specificity>,
    /// The latest rank of those that may match any path.
    any: Option<Specificity>,
    prefixes: HashMap<&'a [u8], Specificity>,
    exacts: HashMap<&'a [u8], Specificity>,
}

impl<'a> Earlier<'a> {
    /// The rank of the next route.
    fn rank(&mut self, route: &'a EncodedRoute) -> Specificity {
        let path = wire::path(&route.bytes);
        let mut rank = Some(route.specificity);
        if rank < self.latest {
            rank = rank.max(self.before(path));
        }
        self.add(path, rank);
        rank.unwrap_or(route.specificity)
    }

    /// The latest rank of the routes that overlap `path`.
    ///
    /// Longer paths below a prefix overlap it too, but need no look: they are more specific than
    /// it, and what ranked them later overlaps it as well.
    fn before(&self, path: Path<'_>) -> Option<Specificity> {
        match path {
            Path::Any => self.latest,
            Path::Prefix(text) => self.any.max(self.covering(text)),
            Path::Exact(text) => self.any.max(self.covering(text)).max(self.exacts.get(text).copied()),
        }
    }

    /// The latest rank of the prefixes that `text` starts with.
    fn covering(&self, text: &[u8]) -> Option<Specificity> {
        (0..=text.len()).filter_map(|length| self.prefixes.get(&text[..length]).copied()).max()
    }

    fn add(&mut self, path: Path<'a>, rank: Option<Specificity>) {
        self.latest = self.latest.max(rank);
        let Some(rank) = rank else { return };
        let of_path = match path {
            Path::Any => return self.any = self.any.max(Some(rank)),
            Path::Prefix(text) => self.prefixes.entry(text),
            Path::Exact(text) => self.exacts.entry(text),
        };
        of_path.and_modify(|latest| *latest = rank.max(*latest)).or_insert(rank);
    }
}
