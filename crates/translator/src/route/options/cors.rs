//! `cors`, of routes and of virtual hosts, as configuration of Envoy's CORS filter, which is on
//! every HTTP listener.
//!
//! Envoy looks a policy up attribute by attribute: the route's, and where that is empty the virtual
//! host's.

use std::collections::HashMap;

use biplane_core::options::{Cors, RouteOptions};
use biplane_core::scalars::Duration;
use envoy_types::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy;
use envoy_types::pb::envoy::r#type::v3::FractionalPercent;
use envoy_types::pb::google::protobuf::Any;

use crate::encode;
use crate::proto::boolean;
use crate::route::values::string;

/// The filter's name in every listener.
const FILTER: &str = "envoy.filters.http.cors";
const SECONDS_OF_A_DAY: u64 = 86_400;

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    if let Some(cors) = &options.cors {
        configure(cors, &mut route.typed_per_filter_config);
    }
}

/// Adds the policy to the filter configuration of a route or virtual host.
pub(in crate::route) fn configure(cors: &Cors, filters: &mut HashMap<String, Any>) {
    filters.insert(FILTER.to_owned(), encode::any(&policy(cors)));
}

fn policy(cors: &Cors) -> CorsPolicy {
    let exact = cors.allow_origin.iter().map(|origin| string(origin, false));
    let regex = cors.allow_origin_regex.iter().map(|origin| string(origin, true));
    CorsPolicy {
        allow_origin_string_match: exact.chain(regex).collect(),
        allow_methods: cors.allow_methods.join(","),
        allow_headers: cors.allow_headers.join(","),
        expose_headers: cors.expose_headers.join(","),
        max_age: cors.max_age.as_deref().map(seconds).unwrap_or_default(),
        allow_credentials: cors.allow_credentials.map(boolean),
        filter_enabled: (cors.disable_for_route == Some(true)).then(never),
        ..CorsPolicy::default()
    }
}

/// No request: how a route switches the policy of its virtual host off.
fn never() -> RuntimeFractionalPercent {
    RuntimeFractionalPercent { default_value: Some(FractionalPercent::default()), runtime_key: String::new() }
}

/// Browsers want a number of seconds; people also write `1d` and `10m`.
fn seconds(text: &str) -> String {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let days = days.and_then(|days| days.checked_mul(SECONDS_OF_A_DAY));
    let seconds = days.or_else(|| text.parse::<Duration>().ok().map(|duration| duration.0.as_secs()));
    seconds.map_or_else(|| text.to_owned(), |seconds| seconds.to_string())
}

/// One policy that does what Envoy does with `route` on a route and `host` on the virtual host
/// around it.
pub(in crate::route) fn fold(route: Option<&Cors>, host: &Cors) -> Cors {
    let Some(route) = route else { return host.clone() };
    let mut folded = route.clone();
    if folded.allow_origin.is_empty() && folded.allow_origin_regex.is_empty() {
        folded.allow_origin.clone_from(&host.allow_origin);
        folded.allow_origin_regex.clone_from(&host.allow_origin_regex);
    }
    fill(&mut folded.allow_methods, &host.allow_methods);
    fill(&mut folded.allow_headers, &host.allow_headers);
    fill(&mut folded.expose_headers, &host.expose_headers);
    folded.max_age = folded.max_age.or_else(|| host.max_age.clone());
    folded.allow_credentials = folded.allow_credentials.or(host.allow_credentials);
    folded
}

fn fill(over: &mut Vec<String>, under: &[String]) {
    if over.is_empty() {
        *over = under.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_seconds_whatever_unit_it_is_written_in() {
        let cases = [("86400", "86400"), ("1d", "86400"), ("10m", "600"), ("5s", "5"), ("soon", "soon")];
        for (written, sent) in cases {
            assert_eq!(seconds(written), sent);
        }
    }

    #[test]
    fn disabled_policy_is_enabled_for_no_request() {
        let disabled = policy(&Cors { disable_for_route: Some(true), ..Cors::default() });
        assert_eq!(disabled.filter_enabled, Some(never()));
        assert_eq!(policy(&Cors::default()).filter_enabled, None);
    }

    #[test]
    fn folding_fills_empty_attributes_from_the_host() {
        let host = Cors {
            allow_origin: vec!["https://host".to_owned()],
            allow_methods: vec!["GET".to_owned()],
            max_age: Some("60".to_owned()),
            ..Cors::default()
        };
        let route = Cors { allow_origin_regex: vec!["https://.*".to_owned()], ..Cors::default() };
        let folded = fold(Some(&route), &host);
        assert_eq!(
            folded,
            Cors { allow_origin: vec![], allow_origin_regex: route.allow_origin_regex, ..host }
        );
    }
}
