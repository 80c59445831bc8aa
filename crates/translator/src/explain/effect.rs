//! What a route does with a request that it takes.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::{HeaderValueOption, Metadata};
use envoy_types::pb::envoy::config::route::v3::route::Action as EnvoyAction;
use envoy_types::pb::envoy::config::route::v3::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use envoy_types::pb::envoy::config::route::v3::{DirectResponseAction, Route, RouteAction, RouteMatch};
use envoy_types::pb::google::protobuf::{Duration, value};

use super::{Request, decode, redirect};
use crate::route::is_withheld;

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The name of the route, where it has one.
    pub name: String,
    /// What Envoy does.
    pub action: Action,
    /// What else it does, in short. Values of headers are not among it: they may be secret.
    pub options: Vec<String>,
}

/// What Envoy does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes to one of these clusters.
    Forward(Vec<Share>),
    /// It goes to the cluster that this header names, and the header is absent.
    Unnamed(String),
    /// The client is sent elsewhere.
    Redirect {
        /// The status code.
        status: u32,
        /// Where to.
        location: String,
    },
    /// Envoy answers.
    Respond {
        /// The status code.
        status: u32,
        /// The body.
        body: String,
        /// It stands in for a route that lacks a secret.
        is_withheld: bool,
    },
}

/// A cluster, and how many of the requests it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The name of the cluster.
    pub cluster: String,
    /// Its weight among its neighbours.
    pub weight: u32,
    /// What an endpoint's metadata must hold.
    pub subset: BTreeMap<String, String>,
}

/// What an encoded `Route` does with `request`; none: it does nothing that the translator writes.
pub fn effect(route: &[u8], request: &Request) -> Option<Effect> {
    let route = decode(route)?;
    let matched = route.r#match.clone().unwrap_or_default();
    let mut options = Vec::new();
    let action = match route.action.as_ref()? {
        EnvoyAction::Route(action) => {
            forwarding(action, &matched, request, &mut options);
            forward(action, request)?
        }
        EnvoyAction::Redirect(action) => Action::Redirect {
            status: redirect::status(action),
            location: redirect::location(action, &matched, request),
        },
        EnvoyAction::DirectResponse(action) => respond(action),
        _ => return None,
    };
    everywhere(&route, &mut options);
    Some(Effect { name: route.name, action, options })
}

fn respond(action: &DirectResponseAction) -> Action {
    let body = match action.body.as_ref().and_then(|body| body.specifier.as_ref()) {
        Some(Specifier::InlineString(text)) => text.clone(),
        _ => String::new(),
    };
    Action::Respond { status: action.status, is_withheld: is_withheld(action.status, &body), body }
}

fn forward(action: &RouteAction, request: &Request) -> Option<Action> {
    let subset = subset(action.metadata_match.as_ref());
    match action.cluster_specifier.as_ref()? {
        ClusterSpecifier::Cluster(name) => {
            Some(Action::Forward(vec![Share { cluster: name.clone(), weight: 1, subset }]))
        }
        ClusterSpecifier::ClusterHeader(header) => {
            let named = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(header));
            Some(match named {
                Some((_, name)) => Action::Forward(vec![Share { cluster: name.clone(), weight: 1, subset }]),
                None => Action::Unnamed(header.clone()),
            })
        }
        ClusterSpecifier::WeightedClusters(set) => {
            let share =
                |cluster: &envoy_types::pb::envoy::config::route::v3::weighted_cluster::ClusterWeight| {
                    Share {
                        cluster: cluster.name.clone(),
                        weight: cluster.weight.as_ref().map_or(0, |weight| weight.value),
                        subset: self::subset(cluster.metadata_match.as_ref()),
                    }
                };
            Some(Action::Forward(set.clusters.iter().map(share).collect()))
        }
        _ => None,
    }
}

fn subset(metadata: Option<&Metadata>) -> BTreeMap<String, String> {
    let fields = metadata.iter().flat_map(|metadata| metadata.filter_metadata.values());
    let fields = fields.flat_map(|fields| &fields.fields);
    let text = |(name, value): (&String, &envoy_types::pb::google::protobuf::Value)| match &value.kind {
        Some(value::Kind::StringValue(text)) => Some((name.clone(), text.clone())),
        _ => None,
    };
    fields.filter_map(text).collect()
}

/// Options of requests that go to an upstream.
fn forwarding(action: &RouteAction, matched: &RouteMatch, request: &Request, options: &mut Vec<String>) {
    if !action.prefix_rewrite.is_empty() {
        let path = redirect::prefix_replaced(&action.prefix_rewrite, matched, request);
        options.push(format!("the path becomes {path}"));
    } else if let Some(rewrite) = &action.regex_rewrite {
        options.push(format!("the path becomes {}", redirect::substituted(rewrite, request)));
    }
    match &action.host_rewrite_specifier {
        Some(HostRewriteSpecifier::HostRewriteLiteral(host)) => {
            options.push(format!("the host becomes {host}"));
        }
        Some(HostRewriteSpecifier::AutoHostRewrite(auto)) if !auto.value => {}
        Some(_) => options.push("the host is rewritten".to_owned()),
        None => {}
    }
    if let Some(timeout) = &action.timeout {
        options.push(format!("timeout {}", seconds(timeout)));
    }
    if let Some(retries) = &action.retry_policy {
        let times = retries.num_retries.as_ref().map_or(1, |times| times.value);
        options.push(format!("{times} retries on {}", retries.retry_on));
    }
    if !action.hash_policy.is_empty() {
        options.push("the upstream's endpoint is picked by a hash".to_owned());
    }
    let upgrades = action.upgrade_configs.iter();
    options.extend(upgrades.map(|upgrade| {
        let is_on = upgrade.enabled.as_ref().is_none_or(|enabled| enabled.value);
        format!("upgrade to {} {}", upgrade.upgrade_type, if is_on { "on" } else { "off" })
    }));
}

/// Options of all requests.
fn everywhere(route: &Route, options: &mut Vec<String>) {
    let mut filters: Vec<_> = route.typed_per_filter_config.keys().map(String::as_str).collect();
    filters.sort_unstable();
    options.extend(filters.iter().map(|name| name.rsplit('.').next().unwrap_or(name).replace('_', " ")));
    let added = |headers: &[HeaderValueOption]| {
        let names = headers.iter().filter_map(|option| Some(option.header.as_ref()?.key.clone()));
        names.collect::<Vec<_>>()
    };
    let lists = [
        ("request headers added", added(&route.request_headers_to_add)),
        ("request headers removed", route.request_headers_to_remove.clone()),
        ("response headers added", added(&route.response_headers_to_add)),
        ("response headers removed", route.response_headers_to_remove.clone()),
    ];
    let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
    options.extend(lists.map(|(what, names)| format!("{what}: {}", names.join(", "))));
}

fn seconds(duration: &Duration) -> String {
    let milliseconds = duration.seconds * 1000 + i64::from(duration.nanos / 1_000_000);
    match milliseconds {
        0 => "none".to_owned(),
        whole if whole % 1000 == 0 => format!("{}s", whole / 1000),
        part => format!("{part}ms"),
    }
}
