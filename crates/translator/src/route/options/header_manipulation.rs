//! `headerManipulation`, of routes, virtual hosts and weighted destinations.
//!
//! Envoy goes from the narrow to the wide: weighted destination, route, virtual host; at each of
//! them it removes first and then adds.

use biplane_core::options::header_manipulation::{HeaderValue, HeaderValueOption};
use biplane_core::options::{HeaderManipulation, RouteOptions};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use envoy_types::pb::envoy::config::route::v3::{Route, VirtualHost};

use super::header_secrets;
use crate::proto;

/// Most headers that Envoy takes in one list.
pub(super) const MAX_ADDED: usize = 1000;

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    let Some(headers) = &options.header_manipulation else { return };
    route.request_headers_to_add = additions(&headers.request_headers_to_add);
    route.request_headers_to_remove.clone_from(&headers.request_headers_to_remove);
    route.response_headers_to_add = additions(&headers.response_headers_to_add);
    route.response_headers_to_remove.clone_from(&headers.response_headers_to_remove);
    header_secrets::configure(headers, &mut route.typed_per_filter_config);
}

pub(in crate::route) fn apply_to_host(headers: &HeaderManipulation, host: &mut VirtualHost) {
    host.request_headers_to_add = additions(&headers.request_headers_to_add);
    host.request_headers_to_remove.clone_from(&headers.request_headers_to_remove);
    host.response_headers_to_add = additions(&headers.response_headers_to_add);
    host.response_headers_to_remove.clone_from(&headers.response_headers_to_remove);
    header_secrets::configure(headers, &mut host.typed_per_filter_config);
}

pub(in crate::route) fn apply_to_weight(headers: &HeaderManipulation, weight: &mut ClusterWeight) {
    weight.request_headers_to_add = additions(&headers.request_headers_to_add);
    weight.request_headers_to_remove.clone_from(&headers.request_headers_to_remove);
    weight.response_headers_to_add = additions(&headers.response_headers_to_add);
    weight.response_headers_to_remove.clone_from(&headers.response_headers_to_remove);
    header_secrets::configure(headers, &mut weight.typed_per_filter_config);
}

/// Whether Envoy takes the lists of a route. One that a user writes is checked where it is read; folding
/// makes longer ones, and Envoy would refuse all routes of the listener over it.
pub(super) fn check(route: &Route) -> Result<(), String> {
    let longest = route.request_headers_to_add.len().max(route.response_headers_to_add.len());
    if longest <= MAX_ADDED {
        return Ok(());
    }
    Err(format!(
        "with those of its virtual host, which shares a domain with another, the route adds {longest} headers; \
         Envoy takes {MAX_ADDED}, so the route is not used"
    ))
}

fn additions(additions: &[HeaderValueOption]) -> Vec<core::HeaderValueOption> {
    let addition = |option: &HeaderValueOption| match header_secrets::value(option) {
        Some(value) => {
            let header = HeaderValue { value, ..option.header.clone() };
            proto::header(&HeaderValueOption { header, ..option.clone() })
        }
        None => proto::header(option),
    };
    additions.iter().map(addition).collect()
}

/// One manipulation that does what Envoy does with `route` on a route and `host` on the virtual
/// host around it. What the route adds and the host then removes is never added. (With
/// `mostSpecificHeaderMutationsWins` Envoy goes the other way round; which gateways serve a route
/// is not known here.)
pub(in crate::route) fn fold(
    route: Option<&HeaderManipulation>,
    host: &HeaderManipulation,
) -> HeaderManipulation {
    let Some(route) = route else { return host.clone() };
    HeaderManipulation {
        request_headers_to_add: fold_additions(
            &route.request_headers_to_add,
            &host.request_headers_to_remove,
            &host.request_headers_to_add,
        ),
        request_headers_to_remove: joined(&route.request_headers_to_remove, &host.request_headers_to_remove),
        response_headers_to_add: fold_additions(
            &route.response_headers_to_add,
            &host.response_headers_to_remove,
            &host.response_headers_to_add,
        ),
        response_headers_to_remove: joined(
            &route.response_headers_to_remove,
            &host.response_headers_to_remove,
        ),
    }
}

fn fold_additions(
    route: &[HeaderValueOption],
    removed: &[String],
    host: &[HeaderValueOption],
) -> Vec<HeaderValueOption> {
    let stays = |option: &&HeaderValueOption| {
        !removed.iter().any(|name| name.eq_ignore_ascii_case(&option.header.key))
    };
    route.iter().filter(stays).chain(host).cloned().collect()
}

fn joined(route: &[String], host: &[String]) -> Vec<String> {
    let mut names = route.to_vec();
    names.extend(host.iter().filter(|name| !route.contains(name)).cloned());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(key: &str, value: &str) -> HeaderValueOption {
        HeaderValueOption {
            header: HeaderValue { key: key.to_owned(), value: value.to_owned() },
            ..HeaderValueOption::default()
        }
    }

    #[test]
    fn folding_keeps_the_order_of_levels_and_what_the_host_removes_stays_removed() {
        let route = HeaderManipulation {
            request_headers_to_add: vec![add("x-route", "1"), add("X-Gone", "1")],
            request_headers_to_remove: vec!["x-a".to_owned()],
            ..HeaderManipulation::default()
        };
        let host = HeaderManipulation {
            request_headers_to_add: vec![add("x-host", "1")],
            request_headers_to_remove: vec!["x-gone".to_owned(), "x-a".to_owned()],
            ..HeaderManipulation::default()
        };
        let expected = HeaderManipulation {
            request_headers_to_add: vec![add("x-route", "1"), add("x-host", "1")],
            request_headers_to_remove: vec!["x-a".to_owned(), "x-gone".to_owned()],
            ..HeaderManipulation::default()
        };
        assert_eq!(fold(Some(&route), &host), expected);
        assert_eq!(fold(None, &host), host);
    }
}
