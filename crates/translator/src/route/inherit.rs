//! What a delegated route takes over from the route that delegates to it, and what it must not leave.
//!
//! Gloo's rules. A delegating route has one matcher at most, by prefix. Matchers of the routes
//! behind it start with that prefix as text, agree on `caseSensitive`, and repeat each of its
//! headers, query parameters, methods and client addresses. `inheritablePathMatchers` puts the parent's path in place
//! of theirs, `inheritableMatchers` puts the rest in front of theirs; both hold further down until
//! a route sets them otherwise. One difference: a parent without matcher binds its children to
//! nothing, so that they may match CONNECT or by any regex.

use std::borrow::Cow;

use biplane_core::options::RouteOptions;
use biplane_core::resources::Route;
use biplane_core::resources::route::Matcher;

use super::scope::Place;

/// The delegating route, as far as its children see it.
pub(super) struct Parent<'a> {
    /// Where it is.
    pub(super) place: Place<'a>,
    /// Its matcher: a prefix, or no path at all.
    pub(super) matcher: Matcher,
    /// Its options after all merging.
    pub(super) options: RouteOptions,
    /// Whether its children take headers, query parameters and methods over.
    pub(super) inherits_matchers: bool,
    /// Whether its children take its path over.
    pub(super) inherits_path: bool,
    /// Its name, or that of the nearest route above that has one.
    pub(super) name: Option<&'a str>,
}

/// Whether children of `route` inherit: matchers, path.
pub(super) fn flags(route: &Route, parent: Option<&Parent<'_>>) -> (bool, bool) {
    let above = parent.map_or((false, false), |parent| (parent.inherits_matchers, parent.inherits_path));
    (route.inheritable_matchers.unwrap_or(above.0), route.inheritable_path_matchers.unwrap_or(above.1))
}

/// A matcher that leaves what its parent allows.
pub(super) struct Mismatch {
    /// The matcher, from 0.
    pub(super) matcher: usize,
    /// What is wrong with it.
    pub(super) message: String,
}

/// The matchers of `route` under `parent`; never empty.
pub(super) fn matchers<'r>(
    route: &'r Route,
    parent: Option<&Parent<'_>>,
) -> Result<Cow<'r, [Matcher]>, Mismatch> {
    let mut matchers = Cow::Borrowed(route.matchers.as_slice());
    if matchers.is_empty() {
        matchers = Cow::Owned(vec![everything()]);
    }
    let Some(parent) = parent else { return Ok(matchers) };
    let (inherits_matchers, inherits_path) = flags(route, Some(parent));
    if inherits_path {
        matchers.to_mut().iter_mut().for_each(|matcher| take_path(matcher, &parent.matcher));
    }
    if inherits_matchers {
        matchers.to_mut().iter_mut().for_each(|matcher| take_conditions(matcher, &parent.matcher));
    }
    for (index, matcher) in matchers.iter().enumerate() {
        check(matcher, parent).map_err(|message| Mismatch { matcher: index, message })?;
    }
    Ok(matchers)
}

fn everything() -> Matcher {
    Matcher { prefix: Some("/".to_owned()), ..Matcher::default() }
}

fn take_path(child: &mut Matcher, parent: &Matcher) {
    child.prefix = parent.prefix.clone().or_else(|| everything().prefix);
    child.case_sensitive = parent.case_sensitive;
    (child.exact, child.regex, child.connect_matcher) = (None, None, None);
}

fn take_conditions(child: &mut Matcher, parent: &Matcher) {
    prepend(&mut child.headers, &parent.headers);
    prepend(&mut child.query_parameters, &parent.query_parameters);
    prepend(&mut child.methods, &parent.methods);
    if child.client_ip.is_none() {
        child.client_ip.clone_from(&parent.client_ip);
    }
}

fn prepend<T: Clone + PartialEq>(child: &mut Vec<T>, parent: &[T]) {
    let mut joined = parent.to_vec();
    joined.extend(child.iter().filter(|item| !parent.contains(item)).cloned());
    *child = joined;
}

/// Whether a child's matcher stays inside its parent's; else why not.
fn check(child: &Matcher, parent: &Parent<'_>) -> Result<(), String> {
    let (place, matcher) = (parent.place, &parent.matcher);
    let reason = if let Some(prefix) = outside_path(child, matcher) {
        format!("path {:?} does not start with {prefix:?}, the prefix", path_text(child))
    } else if matcher.prefix.is_some() && case_counts(child) != case_counts(matcher) {
        format!("caseSensitive differs from {}, that", case_counts(matcher))
    } else if let Some(header) = matcher.headers.iter().find(|item| !child.headers.contains(item)) {
        format!("matcher lacks the header {:?}", header.name)
    } else if let Some(parameter) =
        matcher.query_parameters.iter().find(|item| !child.query_parameters.contains(item))
    {
        format!("matcher lacks the query parameter {:?}", parameter.name)
    } else if let Some(method) = matcher.methods.iter().find(|item| !child.methods.contains(item)) {
        format!("matcher lacks the method {method:?}")
    } else if matcher.client_ip.is_some() && child.client_ip != matcher.client_ip {
        "matcher lacks the clientIp".to_owned()
    } else {
        return Ok(());
    };
    Err(format!(
        "{reason} of {} {}, which delegates here, so the route is dropped",
        place.owner,
        place.path()
    ))
}

fn outside_path<'p>(child: &Matcher, parent: &'p Matcher) -> Option<&'p str> {
    let prefix = parent.prefix.as_deref()?;
    (!path_text(child).starts_with(prefix)).then_some(prefix)
}

/// The path as text, whatever its kind; empty for CONNECT and where there is none.
fn path_text(matcher: &Matcher) -> &str {
    matcher.prefix.as_ref().or(matcher.exact.as_ref()).or(matcher.regex.as_ref()).map_or("", String::as_str)
}

fn case_counts(matcher: &Matcher) -> bool {
    matcher.case_sensitive.unwrap_or(true)
}

/// The one matcher of a route that delegates, or why it cannot. Where neither it nor its parent wrote a
/// path, its children are free in theirs.
pub(super) fn delegating(
    route: &Route,
    parent: Option<&Parent<'_>>,
    matchers: &[Matcher],
) -> Result<Matcher, &'static str> {
    let [matcher] = matchers else { return Err("a route that delegates has one matcher at most") };
    if route.matchers.is_empty() && parent.is_none_or(|parent| parent.matcher.prefix.is_none()) {
        return Ok(Matcher { prefix: None, ..matcher.clone() });
    }
    let is_other = matcher.exact.is_some() || matcher.regex.is_some() || matcher.connect_matcher.is_some();
    if is_other || matcher.prefix.as_deref() == Some("") {
        return Err("a route that delegates matches by a prefix");
    }
    Ok(matcher.clone())
}
