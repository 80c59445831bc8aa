//! Routes and their matchers.

use super::{Validator, action, headers, options, text};
use crate::key::Kind;
use crate::path::Trail;
use crate::resources::route::{ClientIpMatcher, HeaderMatcher, Matcher, QueryParameterMatcher, Route};

/// Longest name of a query parameter that Envoy takes, in bytes.
const MAX_QUERY_NAME: usize = 1024;

pub(super) fn routes(v: &mut Validator<'_, '_>, routes: &[Route], at: &Trail<'_>) {
    for (index, each) in routes.iter().enumerate() {
        route(v, each, &at.index(index));
    }
}

fn route(v: &mut Validator<'_, '_>, route: &Route, at: &Trail<'_>) {
    let choices = [
        ("routeAction", route.route_action.is_some()),
        ("redirectAction", route.redirect_action.is_some()),
        ("directResponseAction", route.direct_response_action.is_some()),
        ("delegateAction", route.delegate_action.is_some()),
    ];
    v.exactly_one(at, "the route's action", &choices);
    // A route above may say for the routes of a table that they inherit its path; whether one does, the
    // translation knows.
    let of_table = v.findings.key().kind == Kind::RouteTable;
    let inherits_path = route.inheritable_path_matchers.unwrap_or(of_table);
    for (index, each) in route.matchers.iter().enumerate() {
        let matchers = at.field("matchers");
        matcher(v, each, inherits_path, &matchers.index(index));
    }
    if route.delegate_action.is_some() {
        delegating_matchers(v, route, &at.field("matchers"));
    }
    action::action(v, route, at);
    if let Some(each) = &route.options {
        options::route_options(v, each, &at.field("options"));
        rewrite_conflicts(v, route, at);
    }
    if let Some(refs) = &route.options_config_refs {
        options::references(v, refs, &at.field("optionsConfigRefs"));
    }
}

/// A redirect's path is its own; rewrites in the options would have no effect on it.
fn rewrite_conflicts(v: &mut Validator<'_, '_>, route: &Route, at: &Trail<'_>) {
    let Some(options) = &route.options else { return };
    let answers = route.redirect_action.is_some() || route.direct_response_action.is_some();
    if answers && (options.prefix_rewrite.is_some() || options.regex_rewrite.is_some()) {
        let hint = "for a redirect, write the path in redirectAction";
        v.warning_hint(&at.field("options"), "a rewrite has no effect on a route that answers itself", hint);
    }
}

/// What a route delegates is told by one prefix: the paths of the tables behind it start with it.
fn delegating_matchers(v: &mut Validator<'_, '_>, route: &Route, at: &Trail<'_>) {
    let hint = "write one matcher with a prefix; finer matchers belong into the route table";
    if route.matchers.len() > 1 {
        v.error_hint(at, "a route that delegates has one matcher at most", hint);
    }
    let Some(first) = route.matchers.first() else { return };
    if first.exact.is_some() || first.regex.is_some() || first.connect_matcher.is_some() {
        v.error_hint(&at.index(0), "a route that delegates matches by prefix only", hint);
    }
}

fn matcher(v: &mut Validator<'_, '_>, matcher: &Matcher, inherits_path: bool, at: &Trail<'_>) {
    let choices = [
        ("prefix", matcher.prefix.is_some()),
        ("exact", matcher.exact.is_some()),
        ("regex", matcher.regex.is_some()),
        ("connectMatcher", matcher.connect_matcher.is_some()),
    ];
    if inherits_path {
        v.at_most_one(at, "the matcher's path", &choices);
    } else {
        v.exactly_one(at, "the matcher's path", &choices);
    }
    for (name, value) in [("prefix", &matcher.prefix), ("exact", &matcher.exact)] {
        if let Some(value) = value {
            path(v, value, &at.field(name));
        }
    }
    if let Some(regex) = &matcher.regex {
        v.regex(regex, &at.field("regex"));
    }
    for (index, each) in matcher.headers.iter().enumerate() {
        header(v, each, &at.field("headers").index(index));
    }
    for (index, each) in matcher.query_parameters.iter().enumerate() {
        query_parameter(v, each, &at.field("queryParameters").index(index));
    }
    for (index, method) in matcher.methods.iter().enumerate() {
        if !text::is_token(method) {
            v.error_hint(
                &at.field("methods").index(index),
                format!("{method:?} is no HTTP method"),
                "write GET, POST, ...",
            );
        }
    }
    if let Some(client) = &matcher.client_ip {
        client_ip(v, client, &at.field("clientIp"));
    }
}

fn client_ip(v: &mut Validator<'_, '_>, client: &ClientIpMatcher, at: &Trail<'_>) {
    let at = at.field("ranges");
    if client.ranges.is_empty() {
        v.missing(&at, "there are no addresses to match", "write ranges: [10.0.0.0/8]");
    }
    for (index, range) in client.ranges.iter().enumerate() {
        if ClientIpMatcher::range(range).is_none() {
            let message = format!("{range:?} is neither an address nor a network");
            v.error_hint(&at.index(index), message, "write 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32");
        }
    }
}

fn path(v: &mut Validator<'_, '_>, path: &str, at: &Trail<'_>) {
    match text::path(path) {
        Ok(()) => {}
        Err(why) if path.starts_with('/') => v.error(at, why),
        Err(why) => v.error_hint(at, why, format!("write /{path}")),
    }
}

fn header(v: &mut Validator<'_, '_>, header: &HeaderMatcher, at: &Trail<'_>) {
    if header.name.is_empty() {
        v.missing(&at.field("name"), "the header to match has no name", "write name: x-name");
    } else {
        headers::name(v, &header.name, &at.field("name"));
    }
    if header.regex && !header.value.is_empty() {
        v.regex(&header.value, &at.field("value"));
    }
}

fn query_parameter(v: &mut Validator<'_, '_>, parameter: &QueryParameterMatcher, at: &Trail<'_>) {
    if parameter.name.is_empty() {
        v.missing(&at.field("name"), "the query parameter has no name", "write name: q");
    }
    if parameter.name.len() > MAX_QUERY_NAME {
        v.error(&at.field("name"), format!("longer than the {MAX_QUERY_NAME} bytes that Envoy takes"));
    }
    if parameter.regex && !parameter.value.is_empty() {
        v.regex(&parameter.value, &at.field("value"));
    }
}
