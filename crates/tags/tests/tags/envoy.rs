//! Which route of the documents answers a request: what Envoy does with them, in plain code.
//!
//! The virtual host by its domains (exact, then the longest suffix, then the longest prefix, then `*`), then the first route
//! with a matcher that matches. Every document is decoded as the control plane does it.

use std::net::IpAddr;

use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::resources::route::{ClientIpMatcher, HeaderMatcher, Matcher, Route};
use biplane_core::resources::virtual_service::VirtualHost;
use biplane_core::resources::{Object, Spec};
use biplane_tags::table::{Changes, Document};
use regex::Regex;

/// A request, as it is on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) host: &'static str,
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) client: &'static str,
    pub(crate) tls: bool,
    pub(crate) gateway: &'static str,
}

/// A plain GET.
pub(crate) fn get(host: &'static str, path: &'static str) -> Request {
    let (method, client, gateway) = ("GET", "192.0.2.1", "any");
    Request { method, host, path, headers: Vec::new(), client, tls: false, gateway }
}

/// The documents that a store would hold, with what they decode to.
#[derive(Debug, Default)]
pub(crate) struct Documents(Vec<(Document, Object)>);

impl Documents {
    /// Takes changes over.
    pub(crate) fn apply(&mut self, changes: Changes) {
        for document in changes.puts {
            let object = decoded(&document);
            self.0.retain(|(before, _)| before.key != document.key);
            self.0.push((document, object));
        }
        for key in changes.deletions {
            let before = self.0.len();
            self.0.retain(|(document, _)| document.key != key);
            assert_eq!(self.0.len() + 1, before, "{key} is deleted, but was never put");
        }
        self.0.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
    }

    /// The names of all objects of a kind.
    pub(crate) fn names(&self, kind: Kind) -> Vec<&str> {
        let keys = self.0.iter().map(|(document, _)| &document.key);
        keys.filter(|key| key.kind == kind).map(|key| key.name.as_str()).collect()
    }

    /// All documents, as one text.
    pub(crate) fn text(&self) -> String {
        let values: Vec<_> = self.0.iter().map(|(document, _)| &document.value).collect();
        serde_json::to_string_pretty(&values).unwrap()
    }

    /// The fields of an object.
    pub(crate) fn value(&self, kind: Kind, name: &str) -> &serde_json::Value {
        let is = |key: &ObjectKey| key.kind == kind && key.name == name;
        let found = self.0.iter().find(|(document, _)| is(&document.key));
        &found.unwrap_or_else(|| panic!("no {kind} {name}: {}", self.text())).0.value
    }

    /// The route that answers; `None`: 404.
    pub(crate) fn answer(&self, request: &Request) -> Option<Route> {
        let hosts: Vec<&VirtualHost> =
            self.0.iter().filter_map(|(_, object)| serving(object, request)).collect();
        let name = request.host.to_ascii_lowercase();
        let domains = hosts.iter().flat_map(|host| &host.domains);
        let domain = domains.filter_map(|domain| rank(domain, &name).map(|rank| (rank, domain))).max()?.1;
        let host =
            hosts.iter().find(|host| host.domains.contains(domain)).expect("it is a domain of one of them");
        host.routes
            .iter()
            .find(|route| route.matchers.iter().any(|matcher| matches(matcher, request)))
            .cloned()
    }

    /// The name of the route that answers.
    pub(crate) fn name(&self, request: &Request) -> Option<String> {
        self.answer(request).map(|route| route.name.expect("all routes have names"))
    }

    /// The status of the direct response that answers.
    pub(crate) fn status(&self, request: &Request) -> Option<u32> {
        Some(self.answer(request)?.direct_response_action?.status)
    }
}

fn decoded(document: &Document) -> Object {
    let location = Location::file("tags", 1);
    let decoded = decode(&document.value.to_string(), &document.key, &location);
    decoded.object.unwrap_or_else(|| panic!("{:#?}: {}", decoded.reports, document.value))
}

/// The virtual host that the request's gateway serves.
fn serving<'a>(object: &'a Object, request: &Request) -> Option<&'a VirtualHost> {
    let Spec::VirtualService(service) = &object.spec else { return None };
    let serves = service.ssl_config.is_some() == request.tls
        && object.metadata.admits_gateway("edge", request.gateway);
    service.virtual_host.as_ref().filter(|_| serves)
}

/// How well a domain fits; `None`: it does not.
fn rank(domain: &str, host: &str) -> Option<(u8, usize)> {
    match (domain.strip_prefix('*'), domain.strip_suffix('*')) {
        (Some(""), _) => Some((0, 0)),
        (Some(suffix), _) => {
            (host.len() > suffix.len() && host.ends_with(suffix)).then_some((2, suffix.len()))
        }
        (_, Some(prefix)) => {
            (host.len() > prefix.len() && host.starts_with(prefix)).then_some((1, prefix.len()))
        }
        _ => (domain == host).then_some((3, 0)),
    }
}

fn matches(matcher: &Matcher, request: &Request) -> bool {
    let path = request.path.split('?').next().unwrap();
    matcher.exact.as_ref().is_none_or(|exact| exact == path)
        && matcher.prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_str()))
        && matcher.regex.as_ref().is_none_or(|regex| whole(regex, path))
        && (matcher.methods.is_empty() || matcher.methods.iter().any(|method| method == request.method))
        && matcher.headers.iter().all(|header| header_matches(header, request))
        && matcher.query_parameters.is_empty()
        && matcher.client_ip.as_ref().is_none_or(|client| client_matches(client, request.client))
}

/// RE2's full match.
fn whole(pattern: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{pattern})$")).unwrap_or_else(|why| panic!("{pattern}: {why}")).is_match(text)
}

fn header_matches(matcher: &HeaderMatcher, request: &Request) -> bool {
    let value = match matcher.name.as_str() {
        ":path" => Some(request.path.to_owned()),
        ":method" => Some(request.method.to_owned()),
        ":authority" => Some(request.host.to_owned()),
        ":scheme" => Some(if request.tls { "https" } else { "http" }.to_owned()),
        name => {
            let named = request.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            let values: Vec<_> = named.map(|(_, value)| *value).collect();
            (!values.is_empty()).then(|| values.join(","))
        }
    };
    match value {
        None => matcher.value.is_empty() && matcher.invert_match,
        Some(_) if matcher.value.is_empty() => !matcher.invert_match,
        Some(value) if matcher.regex => whole(&matcher.value, &value) != matcher.invert_match,
        Some(value) => (matcher.value == value) != matcher.invert_match,
    }
}

fn client_matches(matcher: &ClientIpMatcher, client: &str) -> bool {
    let client: IpAddr = client.parse().unwrap();
    let inside = matcher.ranges.iter().any(|range| {
        let (address, bits) = ClientIpMatcher::range(range).unwrap();
        match (address, client) {
            (IpAddr::V4(a), IpAddr::V4(b)) => bits == 0 || (u32::from(a) ^ u32::from(b)) >> (32 - bits) == 0,
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                bits == 0 || (u128::from(a) ^ u128::from(b)) >> (128 - bits) == 0
            }
            _ => false,
        }
    });
    inside != matcher.invert_match
}
