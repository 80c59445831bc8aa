//! The walk through a virtual service and the route tables behind it, depth first, in order.
//!
//! Tables that one selector finds come by `weight`, the smallest first; tables of one weight are sorted
//! together by [specificity](super::Specificity), so that no table's `/` hides another's `/login`.
//!
//! Invariant: the walk ends. A table that delegates to itself, directly or not, is not entered again;
//! depth and number of routes are bounded, since tables that fan out multiply.

use std::collections::BTreeMap;
use std::sync::Arc;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::options::{RouteOptions, VirtualHostOptions};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::route::{DelegateAction, Matcher, RouteTableSelector};
use biplane_core::resources::{Route, RouteTable};
use envoy_types::pb::envoy::config::route::v3 as pb;

use super::action::withheld;
use super::inherit::{self, Parent};
use super::options::caller::Callers;
use super::options::{self, api_key_auth, basic_auth, header_secrets, merge};
use super::scope::{Place, Scope};
use super::{EncodedRoute, MatcherIdentity, Placement, Specificity, action, host, matcher};
use crate::encode;

/// The most tables one behind the other: more than anyone writes, less than the stack holds.
pub(super) const MAX_DEPTH: usize = 32;
/// The most routes that one virtual service may come to.
const MAX_ROUTES: usize = 1_000_000;

/// The routes of a virtual service; `host` are the options of its virtual host, `placement` where they go.
pub(super) fn walk(
    scope: &mut Scope<'_>,
    routes: &[Route],
    host: &VirtualHostOptions,
    placement: Placement,
) -> Vec<EncodedRoute> {
    let owner = scope.service.clone();
    let (chain, callers) = (Vec::new(), Callers::default());
    let mut walk = Walk { scope, host, placement, chain, visited: 0, routes: Vec::new(), callers };
    walk.visit(&owner, routes, None);
    walk.callers.guard(&mut walk.routes);
    walk.routes
}

type Table = (ResourceRef, Arc<RouteTable>);

struct Walk<'w, 'a> {
    scope: &'w mut Scope<'a>,
    host: &'w VirtualHostOptions,
    placement: Placement,
    /// The tables from the virtual service to here.
    chain: Vec<ResourceRef>,
    visited: usize,
    routes: Vec<EncodedRoute>,
    callers: Callers,
}

impl Walk<'_, '_> {
    fn visit(&mut self, owner: &Arc<ObjectKey>, routes: &[Route], parent: Option<&Parent<'_>>) {
        for (index, route) in routes.iter().enumerate() {
            self.visited += 1;
            if self.visited > MAX_ROUTES {
                return self.report_too_many();
            }
            self.route(Place { owner, index }, route, parent);
        }
    }

    fn route(&mut self, place: Place<'_>, route: &Route, parent: Option<&Parent<'_>>) {
        let matchers = match inherit::matchers(route, parent) {
            Ok(matchers) => matchers,
            Err(mismatch) => {
                let mut path = place.path();
                if !route.matchers.is_empty() {
                    path = path.field("matchers").index(mismatch.matcher);
                }
                return self.scope.report(place.warning(path, mismatch.message));
            }
        };
        let options = self.options(place, route, parent);
        match &route.delegate_action {
            Some(action) => self.delegate(place, route, action, &matchers, options, parent),
            None => self.answer(place, route, &matchers, options, parent),
        }
    }

    /// The options of a route: its own, those it refers to, those of its parent.
    fn options(&mut self, place: Place<'_>, route: &Route, parent: Option<&Parent<'_>>) -> RouteOptions {
        let mut options = route.options.as_deref().cloned().unwrap_or_default();
        let references = route.options_config_refs.iter().flat_map(|refs| &refs.delegate_options);
        for (index, name) in references.enumerate() {
            if let Some(object) = self.scope.lookup.route_option(name) {
                merge::route(&mut options, object.options.clone().unwrap_or_default());
            } else {
                let refs = place.path().field("optionsConfigRefs").field("delegateOptions");
                let message = format!("RouteOption {name} does not exist, its options are missing");
                self.scope.report(place.warning(refs.index(index), message));
            }
        }
        if let Some(parent) = parent {
            merge::route(&mut options, parent.options.clone());
        }
        options
    }

    /// A route that answers or forwards: one Envoy route for each of its matchers.
    fn answer(
        &mut self,
        place: Place<'_>,
        route: &Route,
        matchers: &[Matcher],
        mut options: RouteOptions,
        parent: Option<&Parent<'_>>,
    ) {
        let Some(mut action) = action::translate(self.scope, place, route) else { return };
        if !self.secrets(place, route, &mut options) {
            action = withheld::instead_of(action);
        }
        if self.placement == Placement::Routes {
            host::fold(&mut options, self.host);
        }
        let name = name(route, parent).unwrap_or_default().to_owned();
        let mut message = pb::Route { name, action: Some(action), ..pb::Route::default() };
        if let Err(why) = options::apply(&options, self.host, self.scope.lookup, &mut message) {
            return self.scope.report(place.error(place.path(), why));
        }
        let first = self.routes.len();
        for (index, matcher) in matchers.iter().enumerate() {
            let written = (!route.matchers.is_empty()).then_some(index);
            self.push(place, written, matcher, &mut message);
        }
        self.callers.note(first..self.routes.len(), &options, self.host);
    }

    /// Looks the secrets of a route's options up; says whether its requests get all that they have to carry.
    fn secrets(&mut self, place: Place<'_>, route: &Route, options: &mut RouteOptions) -> bool {
        // Options of other objects are not in a field of this one.
        let own = route.options.as_deref();
        let path = |option: &'static str, is_own: bool| {
            move || if is_own { place.path().field("options").field(option) } else { place.path() }
        };
        let is_own = own.is_some_and(|own| own.basic_auth.is_some());
        basic_auth::check(self.scope, options.basic_auth.as_ref(), place.owner, &path("basicAuth", is_own));
        let is_own = own.is_some_and(|own| own.api_key_auth.is_some());
        api_key_auth::check(
            self.scope,
            options.api_key_auth.as_ref(),
            place.owner,
            &path("apiKeyAuth", is_own),
        );
        let Some(headers) = &mut options.header_manipulation else { return !self.scope.withheld };
        let path = path("headerManipulation", own.is_some_and(|own| own.header_manipulation.is_some()));
        header_secrets::expand(self.scope, headers, place.owner, &path) && !self.scope.withheld
    }

    fn push(&mut self, place: Place<'_>, written: Option<usize>, matcher: &Matcher, message: &mut pb::Route) {
        message.r#match = matcher::translate(matcher, self.scope.verified);
        if message.r#match.is_none() {
            let path = place.path().field("matchers").index(written.unwrap_or_default());
            let report = place.error(path, "the matcher has no path, so it is not used");
            return self.scope.report(report.hint("add `prefix: /` to match every path"));
        }
        self.scope.set.connect |= matcher.connect_matcher.is_some();
        self.routes.push(EncodedRoute {
            bytes: encode::canonical("envoy.config.route.v3.Route", message),
            matcher: MatcherIdentity::of(matcher),
            specificity: Specificity::of(matcher),
            owner: place.owner.clone(),
            position: place.position(written),
        });
    }

    fn delegate(
        &mut self,
        place: Place<'_>,
        route: &Route,
        action: &DelegateAction,
        matchers: &[Matcher],
        options: RouteOptions,
        parent: Option<&Parent<'_>>,
    ) {
        let matcher = match inherit::delegating(route, parent, matchers) {
            Ok(matcher) => matcher,
            Err(why) => {
                return self.scope.report(
                    place.error(place.path().field("matchers"), format!("{why}, so it is not used")),
                );
            }
        };
        let (inherits_matchers, inherits_path) = inherit::flags(route, parent);
        let name = name(route, parent);
        let parent = Parent { place, matcher, options, inherits_matchers, inherits_path, name };
        let mut by_weight = BTreeMap::<i32, Vec<Table>>::new();
        for table in self.tables(place, action) {
            by_weight.entry(table.1.weight.unwrap_or_default()).or_default().push(table);
        }
        for tables in by_weight.values() {
            self.group(tables, &parent);
        }
    }

    /// Tables of one weight.
    fn group(&mut self, tables: &[Table], parent: &Parent<'_>) {
        let start = self.routes.len();
        for table in tables {
            self.table(table, parent);
        }
        if tables.len() > 1 {
            self.routes[start..].sort_by_key(|route| route.specificity);
        }
    }

    fn table(&mut self, (name, table): &Table, parent: &Parent<'_>) {
        if let Some(start) = self.chain.iter().position(|visited| visited == name) {
            return self.report_cycle(name, start);
        }
        if self.chain.len() == MAX_DEPTH {
            let message =
                format!("route tables delegate more than {MAX_DEPTH} deep, what is below is not used");
            return self.report_both(name, &message, "delegate from higher up");
        }
        self.chain.push(name.clone());
        self.visit(&Arc::new(name.key(Kind::RouteTable)), &table.routes, Some(parent));
        self.chain.pop();
    }

    fn tables(&mut self, place: Place<'_>, action: &DelegateAction) -> Vec<Table> {
        if let Some(name) = &action.r#ref {
            return self.table_named(place, name).into_iter().collect();
        }
        if let Some(selector) = &action.selector {
            return self.tables_selected(place, selector);
        }
        let path = place.path().field("delegateAction");
        self.scope.report(place.error(path, "the route delegates to nothing, so it is not used"));
        Vec::new()
    }

    fn table_named(&mut self, place: Place<'_>, name: &ResourceRef) -> Option<Table> {
        let table = self.scope.lookup.route_table(name);
        if table.is_none() {
            let path = place.path().field("delegateAction").field("ref");
            let message = format!("RouteTable {name} does not exist, so the route leads nowhere");
            self.scope.report(place.warning(path, message));
        }
        Some((name.clone(), table?))
    }

    fn tables_selected(&mut self, place: Place<'_>, selector: &RouteTableSelector) -> Vec<Table> {
        let path = || place.path().field("delegateAction").field("selector");
        if !selector.labels.is_empty() && !selector.expressions.is_empty() {
            let message = "labels and expressions exclude each other, so nothing is selected";
            self.scope.report(place.warning(path(), message));
            return Vec::new();
        }
        let tables = self.scope.lookup.route_tables(selector, &place.owner.namespace);
        if tables.is_empty() {
            let message = "no RouteTable matches the selector, so the route leads nowhere";
            self.scope.report(place.warning(path(), message));
        }
        tables
    }

    fn report_cycle(&mut self, name: &ResourceRef, start: usize) {
        let circle: Vec<_> = self.chain[start..].iter().chain([name]).map(ToString::to_string).collect();
        let message = format!("route tables delegate in a circle: {}", circle.join(" -> "));
        self.report_both(name, &message, "take out one of these delegations");
    }

    /// A finding for the authors of a table and of the virtual service that came to it.
    fn report_both(&mut self, table: &ResourceRef, message: &str, hint: &str) {
        for object in [table.key(Kind::RouteTable), ObjectKey::clone(&self.scope.service)] {
            self.scope.report(Report::error(&object, FieldPath::root(), message).hint(hint));
        }
    }

    fn report_too_many(&mut self) {
        let message =
            format!("the virtual service comes to more than {MAX_ROUTES} routes, the rest is not used");
        let report = Report::error(&self.scope.service, FieldPath::root().field("virtualHost"), message);
        self.scope.report(report);
    }
}

/// A route's name: its own, or that of the nearest delegating route above that has one.
fn name<'r>(route: &'r Route, parent: Option<&Parent<'r>>) -> Option<&'r str> {
    let own = route.name.as_deref().filter(|name| !name.is_empty());
    own.or_else(|| parent.and_then(|parent| parent.name))
}
