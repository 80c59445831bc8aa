//! What routes do: destinations, redirects, direct responses, delegation.

use super::{Validator, headers, options, text};
use crate::path::Trail;
use crate::resources::route::{
    DelegateAction, Destination, DirectResponseAction, LabelExpression, LabelOperator, RedirectAction, Route,
    RouteAction, RouteTableSelector, WeightedDestination,
};

pub(super) fn action(v: &mut Validator<'_, '_>, route: &Route, at: &Trail<'_>) {
    if let Some(each) = &route.route_action {
        route_action(v, each, &at.field("routeAction"));
    }
    if let Some(each) = &route.redirect_action {
        redirect(v, each, &at.field("redirectAction"));
    }
    if let Some(each) = &route.direct_response_action {
        direct_response(v, each, &at.field("directResponseAction"));
    }
    if let Some(each) = &route.delegate_action {
        delegate(v, each, &at.field("delegateAction"));
    }
}

fn route_action(v: &mut Validator<'_, '_>, action: &RouteAction, at: &Trail<'_>) {
    let choices = [
        ("single", action.single.is_some()),
        ("multi", action.multi.is_some()),
        ("upstreamGroup", action.upstream_group.is_some()),
        ("clusterHeader", action.cluster_header.is_some()),
    ];
    v.exactly_one(at, "the destination", &choices);
    if let Some(each) = &action.single {
        destination(v, each, &at.field("single"));
    }
    if let Some(multi) = &action.multi {
        let at = at.field("multi");
        destinations(v, &multi.destinations, &at.field("destinations"));
    }
    if let Some(reference) = &action.upstream_group {
        v.reference(reference, &at.field("upstreamGroup"));
    }
    if let Some(header) = &action.cluster_header {
        headers::name(v, header, &at.field("clusterHeader"));
    }
}

fn destination(v: &mut Validator<'_, '_>, destination: &Destination, at: &Trail<'_>) {
    match (&destination.upstream, &destination.consul) {
        (Some(reference), None) => v.reference(reference, &at.field("upstream")),
        (None, Some(consul)) if consul.service_name.is_empty() => {
            let at = at.field("consul");
            let hint = "write serviceName: as it is registered";
            v.missing(&at.field("serviceName"), "the service has no name", hint);
        }
        (None, Some(_)) => {}
        (Some(_), Some(_)) => {
            v.error_hint(at, "the destination names both an upstream and a Consul service", "leave one out");
        }
        (None, None) => {
            v.missing(at, "the destination names no upstream", "write upstream: {name: ..., namespace: ...}");
        }
    }
}

/// Weighted destinations of a route or of an upstream group.
pub(super) fn destinations(v: &mut Validator<'_, '_>, destinations: &[WeightedDestination], at: &Trail<'_>) {
    if destinations.is_empty() {
        v.missing(at, "there are no destinations", "list at least one");
        return;
    }
    for (index, each) in destinations.iter().enumerate() {
        let at = at.index(index);
        destination(v, &each.destination, &at.field("destination"));
        if let Some(manipulation) =
            each.options.as_ref().and_then(|options| options.header_manipulation.as_ref())
        {
            let at = at.field("options");
            headers::manipulation(v, manipulation, &at.field("headerManipulation"));
        }
    }
    let sum: u64 = destinations.iter().map(|each| u64::from(each.weight.unwrap_or_default())).sum();
    if sum == 0 {
        v.missing(
            at,
            "all weights are 0, so no destination gets a request",
            "give at least one a weight above 0",
        );
    }
    if sum > u64::from(u32::MAX) {
        v.error_hint(
            at,
            format!("the weights add up to {sum}, more than Envoy takes"),
            "only their ratio counts",
        );
    }
}

fn redirect(v: &mut Validator<'_, '_>, redirect: &RedirectAction, at: &Trail<'_>) {
    let choices = [
        ("pathRedirect", redirect.path_redirect.is_some()),
        ("prefixRewrite", redirect.prefix_rewrite.is_some()),
        ("regexRewrite", redirect.regex_rewrite.is_some()),
    ];
    v.at_most_one(at, "the new path", &choices);
    if let Some(host) = &redirect.host_redirect {
        headers::value(v, host, &at.field("hostRedirect"));
    }
    for (name, value) in
        [("pathRedirect", &redirect.path_redirect), ("prefixRewrite", &redirect.prefix_rewrite)]
    {
        let Some(value) = value else { continue };
        headers::value(v, value, &at.field(name));
    }
    if let Some(rewrite) = &redirect.regex_rewrite {
        options::regex_rewrite(v, &rewrite.pattern, &rewrite.substitution, &at.field("regexRewrite"));
    }
    v.within(&at.field("portRedirect"), redirect.port_redirect, 0, 65_535);
}

fn direct_response(v: &mut Validator<'_, '_>, response: &DirectResponseAction, at: &Trail<'_>) {
    if response.status == 0 {
        v.missing(&at.field("status"), "the direct response has no status", "write status: 200");
    } else {
        v.within(&at.field("status"), Some(response.status), 200, 599);
    }
}

fn delegate(v: &mut Validator<'_, '_>, action: &DelegateAction, at: &Trail<'_>) {
    if action.name.is_some() || action.namespace.is_some() {
        let message = "name and namespace are the old form of `ref`, and stand beside a new one";
        v.error_hint(at, message, "write ref: {name: ..., namespace: ...} alone");
        return;
    }
    let choices = [("ref", action.r#ref.is_some()), ("selector", action.selector.is_some())];
    v.exactly_one(at, "the route table to delegate to", &choices);
    if let Some(reference) = &action.r#ref {
        v.reference(reference, &at.field("ref"));
    }
    if let Some(each) = &action.selector {
        selector(v, each, &at.field("selector"));
    }
}

fn selector(v: &mut Validator<'_, '_>, selector: &RouteTableSelector, at: &Trail<'_>) {
    if !selector.labels.is_empty() && !selector.expressions.is_empty() {
        v.error_hint(at, "labels and expressions together select nothing", "write the labels as expressions");
    }
    label_expressions(v, &selector.expressions, &at.field("expressions"));
}

/// Conditions on labels.
pub(super) fn label_expressions(v: &mut Validator<'_, '_>, expressions: &[LabelExpression], at: &Trail<'_>) {
    for (index, expression) in expressions.iter().enumerate() {
        let at = at.index(index);
        if expression.key.is_empty() {
            v.missing(&at.field("key"), "the condition names no label", "write key: ...");
        }
        let (count, values) = (expression.values.len(), at.field("values"));
        match expression.operator {
            LabelOperator::Exists | LabelOperator::DoesNotExist if count > 0 => {
                v.error_hint(&values, "this operator takes no values", "use In to compare with values");
            }
            LabelOperator::In | LabelOperator::NotIn if count == 0 => {
                v.missing(&values, "this operator needs values", "list at least one");
            }
            LabelOperator::Exists
            | LabelOperator::DoesNotExist
            | LabelOperator::In
            | LabelOperator::NotIn => {}
            LabelOperator::GreaterThan | LabelOperator::LessThan
                if count == 1 && expression.values[0].parse::<i64>().is_err() =>
            {
                v.error(
                    &values.index(0),
                    format!("{:?} is no whole number to compare with", expression.values[0]),
                );
            }
            _ if count == 1 => {}
            _ => v.error_hint(
                &values,
                format!("this operator takes one value, not {count}"),
                "use In for several",
            ),
        }
    }
}

/// A path to send to the upstream.
pub(super) fn rewritten_path(v: &mut Validator<'_, '_>, path: &str, at: &Trail<'_>) {
    let verdict = if path.is_empty() { Ok(()) } else { text::path(path) };
    if let Err(why) = verdict {
        v.error(at, why);
    }
}
