//! Routes of several services that match by the same words: the older service keeps its route.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use biplane_core::key::ObjectKey;
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use prost::Message;

use super::super::{EncodedRoute, MatcherIdentity, RouteSet};

/// A route by the index of its service, the oldest is 0, and its index there.
pub(super) type Index = (usize, usize);

/// The routes that stay, service by service, and those that do not, each behind the one that it lost to.
pub(super) fn survivors(services: &[(&ObjectKey, &RouteSet)]) -> (Vec<Index>, Vec<(Index, Index)>) {
    let mut holders = HashMap::<MatcherIdentity, Index>::new();
    let (mut survivors, mut lost) = (Vec::new(), Vec::new());
    for (service, (_, set)) in services.iter().enumerate() {
        for (index, route) in set.routes.iter().enumerate() {
            let holder = match holders.entry(route.matcher) {
                Entry::Vacant(entry) => *entry.insert((service, index)),
                Entry::Occupied(entry) => *entry.get(),
            };
            if holder.0 == service {
                survivors.push((service, index));
            } else {
                lost.push((holder, (service, index)));
            }
        }
    }
    (survivors, lost)
}

/// Says on both owners of each of the routes that lost.
pub(super) fn reports(
    services: &[(&ObjectKey, &RouteSet)],
    lost: &[(Index, Index)],
    domains: &BTreeSet<String>,
) -> Vec<Report> {
    let claims =
        lost.iter().map(|(holder, lost)| (Claim::new(services, *holder), Claim::new(services, *lost)));
    claims.flat_map(|(older, younger)| conflict(&older, &younger, domains)).collect()
}

/// One of two routes that conflict.
struct Claim<'a> {
    service: &'a ObjectKey,
    route: &'a EncodedRoute,
}

impl<'a> Claim<'a> {
    fn new(services: &[(&'a ObjectKey, &'a RouteSet)], (service, index): Index) -> Self {
        let (key, set) = services[service];
        Self { service: key, route: &set.routes[index] }
    }

    /// `RouteTable default/users routes[0] of VirtualService default/shop`.
    fn describe(&self) -> String {
        let (owner, path) = (&self.route.owner, self.route.path());
        if **owner == *self.service {
            return format!("{owner} {path}");
        }
        format!("{owner} {path} of {}", self.service)
    }

    /// Where to report: on the route, or on the service where both services share the table.
    fn place(&self, other: &Self) -> (&ObjectKey, FieldPath) {
        if self.route.owner == other.route.owner {
            return (self.service, FieldPath::root());
        }
        (&self.route.owner, self.route.path())
    }
}

fn conflict(older: &Claim<'_>, younger: &Claim<'_>, domains: &BTreeSet<String>) -> [Report; 2] {
    let domains: Vec<_> = domains.iter().map(String::as_str).collect();
    let what = format!("{} on {}", matched(younger.route), domains.join(", "));
    let (older_name, younger_name) = (older.describe(), younger.describe());
    let error =
        format!("{what} is already matched by {older_name}, which is older, so {younger_name} is not used");
    let (lost, path) = younger.place(older);
    let error = Report::error(lost, path, error).hint("match something else, or delete one of the two");
    let (kept, path) = older.place(younger);
    let warning = format!("{what} is also matched by {younger_name}, which is younger and not used");
    [error, Report::warning(kept, path, warning)]
}

/// `prefix "/users"`: the matcher in people's words.
fn matched(route: &EncodedRoute) -> String {
    let matcher =
        Route::decode(route.bytes.as_ref()).ok().and_then(|route| route.r#match).unwrap_or_default();
    let path = match matcher.path_specifier {
        Some(PathSpecifier::Prefix(text)) => format!("prefix {text:?}"),
        Some(PathSpecifier::Path(text)) => format!("exact {text:?}"),
        Some(PathSpecifier::SafeRegex(regex)) => format!("regex {:?}", regex.regex),
        _ => "CONNECT".to_owned(),
    };
    let is_plain =
        matcher.headers.is_empty() && matcher.query_parameters.is_empty() && matcher.filter_state.is_empty();
    if is_plain { path } else { format!("{path} with the same conditions") }
}
