//! Rules and services made at random: what the documents answer is what the rules mean, and how the table came to its
//! state does not matter.

use biplane_core::key::ResourceRef;
use biplane_tags::service::ServiceId;
use biplane_tags::settings::{Certificate, Settings, SharedHosts};
use biplane_tags::traefik::rule;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::envoy::{Request, get};
use crate::meaning::holds;
use crate::services::{World, id, instance, own};

const MATCHERS: &[&str] = &[
    "Host(`a.com`)",
    "Host(`b.com`)",
    "Host(`*.a.com`)",
    "Host(`x.a.com`)",
    "Host(`*`)",
    "HostRegexp(`^[a-z]+\\.com$`)",
    "HostRegexp(`^.+\\.a\\.com$`)",
    "HostRegexp(`x`)",
    "HostRegexp(`^[^x]`)",
    "Path(`/p`)",
    "Path(`/p q`)",
    "PathPrefix(`/p`)",
    "PathPrefix(`/`)",
    "PathRegexp(`^/p/[0-9]+$`)",
    "PathRegexp(`(^/q|r$)`)",
    "PathRegexp(`p.q`)",
    "Method(`GET`)",
    "Method(`POST`)",
    "Header(`X-A`, `1`)",
    "HeaderRegexp(`X-A`, `^[12]$`)",
    "HeaderRegexp(`X-B`, `b`)",
    "Query(`q`)",
    "Query(`q`, `1`)",
    "Query(`q`, `1 2`)",
    "QueryRegexp(`q`, `^[0-9]+$`)",
    "ClientIP(`10.0.0.0/8`)",
    "ClientIP(`10.1.0.0/16`)",
];

const OPTIONS: &[&str] = &[
    "hosts",
    "routes.r.hosts",
    "path",
    "prefix",
    "exact",
    "regex",
    "methods",
    "headers.x-a",
    "headers.:path",
    "headers. ",
    "queryParameters.q",
    "rule",
    "gateways",
    "priority",
    "tls",
    "tls.secret",
    "redirectHttps",
    "port",
    "scheme",
    "allow",
    "deny",
    "basicAuth",
    "apiKeyAuth",
    "weight",
    "stripPrefix",
    "prefixRewrite",
    "hostRewrite",
    "timeout",
    "idleTimeout",
    "retries",
    "retries.retryOn",
    "retries.perTryTimeout",
    "requestHeadersToAdd.x-a",
    "requestHeadersToAdd.host",
    "responseHeadersToAdd.:status",
    "requestHeadersToRemove",
    "cors.allowOrigin",
    "cors.allowOriginRegex",
    "cors.maxAge",
    "websocket",
    "sticky",
    "canary",
    "routes..hosts",
    "routes.r",
    "",
];

const VALUES: &[&str] = &[
    "",
    " ",
    ",",
    "true",
    "false",
    "0",
    "-1",
    "70000",
    "10s",
    "1ns",
    "99999999h",
    "/",
    "/a",
    "/a/,/b",
    "/%zz",
    "/a\\1",
    "/\u{e9}",
    "*",
    "*.a.com",
    "a.com:80",
    "10.0.0.0/8",
    "::/0",
    "ns/name",
    "a/b/c",
    "(",
    "a|b",
    "^a(b|$c)",
    "%ENVIRONMENT(X)%",
    "a\r\nb",
    "\0",
    "grpc",
    "https",
    "Host(`a.com`)",
    "PathRegexp(`a(^b|c)d`)",
    "Header(`\u{e9}`, `1`)",
    "5xx",
];

fn rules() -> impl Strategy<Value = String> {
    let matcher = select(MATCHERS).prop_map(str::to_owned);
    matcher.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let hosts = [
        "a.com",
        "B.com",
        "x.a.com",
        "X.A.com:8080",
        "y.a.com",
        "z.y.a.com",
        "a.com:80",
        "c.org",
        "y.a.com:1",
    ];
    let paths = [
        "/",
        "/p",
        "/p%20q",
        "/p/12",
        "/p/x",
        "/pq",
        "/q",
        "/r",
        "/p?q",
        "/?q=1",
        "/?q=2&q=1",
        "/p?q=1+2",
        "/?q=1%202&x",
        "/x?y=/p/12",
        "/?q=12x",
        "/q/r?q=",
    ];
    let headers = select(vec![
        vec![],
        vec![("x-a", "1")],
        vec![("X-A", "0"), ("X-A", "2")],
        vec![("x-a", "12"), ("x-b", "abc")],
        vec![("x-b", "x,y")],
    ]);
    let clients = ["10.0.0.1", "10.1.0.1", "192.0.2.1"];
    let parts =
        (select(&["GET", "POST", "PUT"][..]), select(hosts.to_vec()), select(paths.to_vec()), headers);
    (parts, select(clients.to_vec())).prop_map(|((method, host, path, headers), client)| Request {
        method,
        host,
        path,
        headers,
        client,
        tls: false,
        gateway: "any",
    })
}

fn shared() -> Settings {
    let mut settings = own();
    settings.shared_hosts = SharedHosts::Anyone;
    let secret_ref = ResourceRef::new("certs", "all");
    settings.certificates.push(Certificate { hosts: Vec::new(), secret_ref });
    settings
}

/// The names of the routers from the most important to the least, with their rules.
fn world(rules: &[String]) -> World {
    let mut world = World::new(shared());
    for (index, rule) in rules.iter().enumerate() {
        let route = format!("routes.r{index}.");
        let priority = format!("{route}priority={}", 100 - index);
        world.tags(&id(&format!("service-{index}")), &[&format!("{route}rule={rule}"), &priority]);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_most_important_router_whose_rule_holds_answers(rules in vec(rules(), 1..4), requests in vec(requests(), 24)) {
        let world = world(&rules);
        // Equal rules of two services are a conflict, which other tests are about.
        prop_assume!(world.findings().iter().all(|finding| finding.other.is_none()));
        let meant: Vec<_> = rules.iter().map(|text| rule::parse(text).unwrap()).collect();
        for request in &requests {
            let expected = meant.iter().position(|rule| holds(rule, request)).map(|index| format!("r{index}@biplane"));
            prop_assert_eq!(world.documents.name(request), expected, "{:?}: {:?}\n{}", rules, request, world.documents.text());
        }
    }

    #[test]
    fn whatever_tags_say_the_documents_decode(tags in vec((select(OPTIONS), select(VALUES)), 1..6)) {
        let mut world = World::new(shared());
        let tags: Vec<_> = tags.iter().map(|(option, value)| format!("{option}={value}")).collect();
        let tags: Vec<_> = ["hosts=a.com"].into_iter().chain(tags.iter().map(String::as_str)).collect();
        world.tags(&id("web"), &tags);
        world.tags(&id("web"), &["hosts=a.com"]);
        prop_assert!(world.documents.name(&get("a.com", "/")).is_some());
    }

    #[test]
    fn the_documents_do_not_depend_on_the_way_there(steps in vec((0..4_usize, proptest::option::of((0..9_usize, 0..3_usize))), 1..12)) {
        let mut walked = World::new(shared());
        let mut last = std::collections::BTreeMap::new();
        for (service, state) in steps {
            apply(&mut walked, service, state);
            last.insert(service, state);
        }
        let mut direct = World::new(shared());
        for (service, state) in last {
            apply(&mut direct, service, state);
        }
        prop_assert_eq!(walked.documents.text(), direct.documents.text());
        prop_assert_eq!(walked.findings(), direct.findings());
    }
}

/// Gives a service one of some hosts on one of some gateways, at a path of its own; `None`: takes it away.
fn apply(world: &mut World, service: usize, state: Option<(usize, usize)>) {
    let name: ServiceId = id(&format!("service-{service}"));
    let Some((host, gateway)) = state else {
        world.remove(&name);
        return;
    };
    let hosts = [
        "a.com",
        "b.com",
        "x.a.com",
        "*.a.com",
        "*.x.a.com",
        "*",
        "a.com,b.com",
        "a.com,*.a.com",
        "x.a.com,*",
    ];
    let gateways = ["methods=GET", "gateways=public", "gateways=public,internal"];
    let tags = [
        format!("hosts={}", hosts[host]),
        format!("path=/{service}"),
        gateways[gateway].to_owned(),
        format!("priority={service}"),
        format!("tls={}", service.is_multiple_of(2)),
    ];
    world.set(&name, vec![instance("i", &tags.each_ref().map(String::as_str))]);
}
