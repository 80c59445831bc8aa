//! Whatever the translator writes into a matcher, `explain` can judge.

use biplane_translator::EnvoyType;
use biplane_translator::explain::{Judgement, Request, effect, judge};
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{Route, RouteConfiguration, RouteMatch};
use prost::Message as _;

use crate::cases::all;
use crate::translated;

/// A request that has something of everything that a matcher could ask for.
fn request(matcher: &RouteMatch) -> Request {
    let mut path = "/?".to_owned();
    for parameter in &matcher.query_parameters {
        path += &format!("{}=value&", parameter.name);
    }
    let headers = matcher.headers.iter().map(|header| (header.name.to_ascii_lowercase(), "value".to_owned()));
    Request {
        method: "GET".to_owned(),
        authority: "example.com".to_owned(),
        path,
        headers: headers.collect(),
        client_ip: Some([192, 0, 2, 1].into()),
        ..Request::default()
    }
}

/// The matcher as it is, and each of its conditions alone: the first that fails hides the others.
fn parts(matcher: &RouteMatch) -> Vec<RouteMatch> {
    let any_path = || RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
        ..RouteMatch::default()
    };
    let mut parts = vec![matcher.clone()];
    let headers = matcher.headers.iter();
    parts.extend(headers.map(|header| RouteMatch { headers: vec![header.clone()], ..any_path() }));
    let parameters = matcher.query_parameters.iter();
    parts.extend(
        parameters.map(|parameter| RouteMatch { query_parameters: vec![parameter.clone()], ..any_path() }),
    );
    let states = matcher.filter_state.iter();
    parts.extend(states.map(|state| RouteMatch { filter_state: vec![state.clone()], ..any_path() }));
    parts.push(RouteMatch { tls_context: matcher.tls_context, ..any_path() });
    parts
}

#[test]
fn every_matcher_and_every_action_of_the_goldens_can_be_explained() {
    let mut judged = 0;
    for case in all() {
        let (resources, _) = translated(&case);
        for resource in resources.iter().filter(|resource| resource.name.kind == EnvoyType::Route) {
            let routes = RouteConfiguration::decode(resource.body.clone()).expect("what was encoded");
            for route in routes.virtual_hosts.into_iter().flat_map(|host| host.routes) {
                let matcher = route.r#match.clone().expect("a matcher");
                let request = request(&matcher);
                for part in parts(&matcher) {
                    let part = Route { r#match: Some(part), ..route.clone() };
                    let judgement = judge(&part.encode_to_vec(), &request);
                    let is_open = matches!(judgement, Judgement::Unknown(_));
                    assert!(!is_open, "{}: {judgement:?} of {:?}", case.name(), part.r#match);
                    judged += 1;
                }
                assert!(effect(&route.encode_to_vec(), &request).is_some(), "{}: {route:?}", case.name());
            }
        }
    }
    assert!(judged > 100, "{judged} were judged");
}
