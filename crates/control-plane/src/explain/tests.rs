//! Explanations of requests to objects as people write them.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use biplane_admin_api::explain::{ExplainQuery, Explanation, GatewayExplanation, Verdict};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_source::{Endpoint, EndpointSource, FixedEndpoints, Health, Listing as Found};
use biplane_store::{Identity, Listing, Revision, SourceEvent, StoredObject};
use biplane_xds::Fleets;
use tokio::time::Instant;

use super::explain;
use crate::discovery::{Discovery, DiscoverySource, Told};
use crate::engine::Engine;
use crate::hold::Holds;
use crate::shared::SharedEngine;

const GATEWAY: &str = "bindAddress: 127.0.0.1\nbindPort: 8080\nhttpGateway: {}\n";
const UPSTREAM: &str = "static: {hosts: [{addr: 127.0.0.1, port: 9000}]}\n";

/// An object of the namespace `default`; the first line of its fields is line 3 of its file.
fn object(kind: Kind, name: &str, age: u8, fields: &str) -> StoredObject {
    let metadata = format!(
        "metadata: {{name: {name}, namespace: default, creationTimestamp: \"2026-01-{age:02}T00:00:00Z\"}}"
    );
    StoredObject {
        key: ObjectKey::new(kind, "default", name),
        value: format!("kind: {kind}\n{metadata}\n{fields}").into(),
        location: Location::file(format!("{name}.yaml"), 1),
        revision: Revision(1),
        created: None,
    }
}

fn service(name: &str, age: u8, fields: &str) -> StoredObject {
    object(Kind::VirtualService, name, age, fields)
}

fn upstream(name: &str) -> StoredObject {
    object(Kind::Upstream, name, 1, UPSTREAM)
}

fn engine(mut items: Vec<StoredObject>) -> SharedEngine {
    items.push(object(Kind::Gateway, "edge", 1, GATEWAY));
    serving(items, Engine::new(Fleets::new(), Holds::new(Duration::from_secs(30)), Vec::new()))
}

fn serving(items: Vec<StoredObject>, mut engine: Engine) -> SharedEngine {
    let identity = Identity::new("test");
    let listing = Listing { identity, revision: Revision(1), items, faults: Vec::new() };
    engine.on_event(SourceEvent::Complete(listing), Instant::now());
    assert_eq!(engine.ingest().count_reports().errors, 0, "{:?}", engine.findings().located());
    SharedEngine::new(engine)
}

fn asked(url: &str) -> ExplainQuery {
    ExplainQuery { url: url.to_owned(), ..ExplainQuery::default() }
}

fn answer(engine: &SharedEngine, query: &ExplainQuery) -> Explanation {
    explain(engine, query).expect("a query that can be read")
}

/// What the only gateway does.
fn one(engine: &SharedEngine, query: &ExplainQuery) -> GatewayExplanation {
    let mut explanation = answer(engine, query);
    assert_eq!(explanation.gateways.len(), 1, "{explanation:#?}");
    explanation.gateways.remove(0)
}

/// Where the answering route is written.
fn place(gateway: &GatewayExplanation) -> String {
    let route = gateway.route.as_ref().unwrap_or_else(|| panic!("{gateway:#?}"));
    format!("{} {} {}", route.object, route.field, route.location.clone().unwrap_or_default())
}

#[test]
fn the_route_that_answers_comes_with_its_place_and_the_routes_before_it_with_their_reasons() {
    let routes = "\
virtualHost:
  domains: [example.com]
  routes:
  - matchers: [{prefix: /admin}]
    directResponseAction: {status: 403}
  - matchers: [{prefix: /, methods: [POST]}]
    directResponseAction: {status: 405}
  - matchers: [{exact: /x}, {prefix: /pets}]
    routeAction: {single: {upstream: {name: pets}}}
  - directResponseAction: {status: 404}
";
    let engine = engine(vec![service("shop", 1, routes), upstream("pets")]);
    let gateway = one(&engine, &asked("http://example.com/pets/1?q"));
    assert_eq!(place(&gateway), "VirtualService default/shop virtualHost.routes[2].matchers[1] shop.yaml:10");
    let why: Vec<_> = gateway.earlier.routes.iter().map(|route| route.why.clone().expect("why")).collect();
    let expected = [
        "path /pets/1 does not begin with /admin",
        "method is \"GET\", not \"POST\"",
        "path /pets/1 is not /x",
    ];
    assert_eq!(why, expected);
    assert_eq!((gateway.later.total, gateway.later.routes[0].matches.as_str()), (1, "prefix /"));
    assert_eq!((gateway.verdict, &*gateway.summary), (Verdict::Answered, "it goes to upstream default/pets"));
    let clusters = gateway.effect.expect("an effect").clusters;
    let endpoints = clusters[0].endpoints.as_ref().expect("endpoints");
    assert_eq!(
        (clusters[0].cluster.as_str(), endpoints.endpoints[0].address.as_str()),
        ("pets_default", "127.0.0.1:9000")
    );
}

#[test]
fn few_routes_are_shown_the_closest_first_and_all_are_counted() {
    let far = "  - {matchers: [{prefix: /far}], directResponseAction: {status: 200}}\n".repeat(20);
    let near = "  - {matchers: [{prefix: /a, methods: [POST]}], directResponseAction: {status: 200}}\n";
    let routes = format!("virtualHost:\n  routes:\n{far}{near}  - directResponseAction: {{status: 200}}\n");
    let engine = engine(vec![service("many", 1, &routes)]);
    let query = ExplainQuery { limit: Some(2), ..asked("http://a/a") };
    let earlier = one(&engine, &query).earlier;
    assert_eq!((earlier.total, earlier.routes.len()), (21, 2));
    assert_eq!(earlier.routes.iter().map(|route| route.near).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn of_two_services_with_one_domain_the_older_has_the_route_and_the_younger_is_told_as_lost() {
    let to = |upstream: &str| {
        format!(
            "virtualHost:\n  domains: [a.example]\n  routes:\n  - matchers: [{{prefix: /x}}]\n    \
             routeAction: {{single: {{upstream: {{name: {upstream}}}}}}}\n"
        )
    };
    let items =
        vec![service("younger", 2, &to("b")), service("older", 1, &to("a")), upstream("a"), upstream("b")];
    let gateway = one(&engine(items), &asked("http://a.example/x"));
    assert_eq!(
        place(&gateway),
        "VirtualService default/older virtualHost.routes[0].matchers[0] older.yaml:6"
    );
    assert_eq!(gateway.host.expect("a host").services, ["default/older", "default/younger"]);
    let lost = &gateway.lost[0];
    assert_eq!(
        lost.what,
        "VirtualService default/younger virtualHost.routes[0].matchers[0] (younger.yaml:6)"
    );
    assert!(lost.to.starts_with("VirtualService default/older "), "{lost:?}");
}

#[test]
fn a_delegated_route_is_of_its_table_and_of_the_service_that_delegates() {
    let shop = "\
virtualHost:
  routes:
  - matchers: [{prefix: /users}]
    delegateAction: {ref: {name: users, namespace: default}}
";
    let table = "\
routes:
- matchers: [{prefix: /users/old}]
  redirectAction: {pathRedirect: /users/new, hostRedirect: new.example}
";
    let items = vec![service("shop", 1, shop), object(Kind::RouteTable, "users", 1, table)];
    let gateway = one(&engine(items), &asked("http://any.example/users/old/1?a=b"));
    assert_eq!(place(&gateway), "RouteTable default/users routes[0].matchers[0] users.yaml:4");
    assert_eq!(gateway.route.expect("a route").service, "default/shop");
    assert_eq!(gateway.summary, "301: the client is sent to http://new.example/users/new?a=b");
}

#[test]
fn shares_are_told_by_weight_and_a_share_without_an_upstream_answers_503() {
    let routes = "\
virtualHost:
  routes:
  - matchers: [{prefix: /}]
    routeAction:
      multi:
        destinations:
        - {weight: 9, destination: {upstream: {name: a}}}
        - {weight: 1, destination: {upstream: {name: gone}}}
";
    let gateway = one(&engine(vec![service("s", 1, routes), upstream("a")]), &asked("http://a/"));
    let expected = "it goes to a_default (90%), gone_default (10%); of these gone_default answers 503: \
                    there is no Upstream default/gone";
    assert_eq!((gateway.verdict, &*gateway.summary), (Verdict::Answered, expected));
    let findings = gateway.route.expect("a route").findings;
    assert!(findings.iter().any(|finding| finding.message.contains("default/gone")), "{findings:?}");
}

/// Services `v-asks`, whose upstream is looked up, and `v-gone`, whose upstream nobody has written.
fn looked_up() -> SharedEngine {
    let to = |name: &str| {
        let route = format!("{{routeAction: {{single: {{upstream: {{name: {name}}}}}}}}}");
        format!("virtualHost: {{domains: [{name}], routes: [{route}]}}\n")
    };
    let asks = object(Kind::Upstream, "asks", 1, "consul: {serviceName: web}\n");
    let items = vec![
        service("v-asks", 1, &to("asks")),
        service("v-gone", 1, &to("gone")),
        asks,
        object(Kind::Gateway, "edge", 1, GATEWAY),
    ];
    let source: Arc<dyn EndpointSource> = Arc::new(FixedEndpoints::new("consul"));
    let discovery = Discovery::new(vec![DiscoverySource::of(&*source)], Vec::new());
    let engine = Engine::new(Fleets::new(), Holds::new(Duration::from_secs(30)), Vec::new());
    serving(items, engine.with_discovery(discovery))
}

/// The source has found these.
fn found(engine: &SharedEngine, healths: &[Health]) {
    let endpoint = |(health, last): (&Health, u8)| Endpoint {
        health: *health,
        ..Endpoint::new([192, 0, 2, last].into(), NonZeroU16::new(80).expect("not zero"))
    };
    let endpoints = healths.iter().zip(1..).map(endpoint).collect();
    let mut engine = engine.lock();
    let question = engine.discovery().wanted().keys().next().expect("a question").clone();
    engine.on_endpoints(vec![Told { question, listing: Found::Complete(endpoints) }], Instant::now());
}

#[test]
fn upstreams_that_cannot_answer_say_why() {
    let engine = looked_up();
    let ends = |host: &str| {
        let gateway = one(&engine, &asked(&format!("http://{host}/")));
        (gateway.verdict, gateway.summary)
    };
    let unavailable = |summary: &str| (Verdict::Unavailable, format!("503: it goes to {summary}"));
    assert_eq!(ends("gone"), unavailable("gone_default (100%), and there is no Upstream default/gone"));
    let asks = "upstream default/asks, and";
    let expected = format!("{asks} it has no cluster: its endpoints are not known yet");
    assert_eq!(ends("asks"), unavailable(&expected));
    found(&engine, &[]);
    assert_eq!(ends("asks"), unavailable(&format!("{asks} it has no endpoints")));
    found(&engine, &[Health::Unhealthy, Health::Draining]);
    assert_eq!(ends("asks"), unavailable(&format!("{asks} none of its 2 endpoints is usable")));
    found(&engine, &[Health::Unhealthy, Health::Healthy]);
    assert_eq!(ends("asks"), (Verdict::Answered, "it goes to upstream default/asks".to_owned()));
}

#[test]
fn the_closest_domain_alone_counts() {
    let answers = |domains: &str, status: u16| {
        format!(
            "virtualHost: {{domains: {domains}, routes: [{{matchers: [{{exact: /}}], directResponseAction: {{status: {status}}}}}]}}\n"
        )
    };
    let items = vec![
        service("exact", 1, &answers("[www.example.com]", 201)),
        service("suffix", 1, &answers("['*.example.com']", 202)),
        service("prefix", 1, &answers("['www.*']", 203)),
        service("all", 1, &answers("['*']", 204)),
    ];
    let engine = engine(items);
    let cases = [
        ("http://WWW.example.com/", "exact", "default/exact"),
        ("http://api.example.com/", "suffix", "default/suffix"),
        ("http://www.example.org/", "prefix", "default/prefix"),
        ("http://www.example.com:8080/", "prefix", "default/prefix"),
        ("http://a/", "any host", "default/all"),
    ];
    for (url, how, owner) in cases {
        let host = one(&engine, &asked(url)).host.expect("a host");
        assert_eq!((host.how.as_str(), host.services.join(",").as_str()), (how, owner), "{url}");
    }
    let gateway = one(&engine, &asked("http://api.example.com/more"));
    assert_eq!(gateway.verdict, Verdict::NoRoute);
    assert!(
        gateway.notes.iter().any(|note| note.starts_with("* (VirtualService default/all)")),
        "{gateway:#?}"
    );
}

#[test]
fn a_service_that_the_gateway_does_not_serve_is_named_with_the_reason() {
    let secure = "sslConfig: {secretRef: {name: s}}\nvirtualHost: {domains: [a.example]}\n";
    let gateway = one(&engine(vec![service("secure", 1, secure)]), &asked("http://a.example/"));
    assert_eq!(
        (gateway.verdict, &*gateway.summary),
        (Verdict::NoRoute, "404: no virtual service has a domain for a.example")
    );
    let expected = "VirtualService default/secure has a.example and is not served here: it has an sslConfig, \
                    and the gateway does not speak TLS";
    assert_eq!(gateway.notes, [expected]);
}

#[test]
fn gateways_are_picked_by_scheme_port_fleet_and_name() {
    let answers = "virtualHost: {routes: [{directResponseAction: {status: 200}}]}\n";
    let other = "bindAddress: 127.0.0.1\nbindPort: 8081\nproxyNames: [inner]\nhttpGateway: {}\n";
    let engine = engine(vec![service("s", 1, answers), object(Kind::Gateway, "other", 1, other)]);
    let names = |query: &ExplainQuery| {
        let explanation = answer(&engine, query);
        explanation.gateways.into_iter().map(|gateway| gateway.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&asked("http://a/")), ["edge", "other"]);
    assert_eq!(names(&asked("http://a:8081/")), ["other"]);
    assert_eq!(names(&ExplainQuery { fleet: Some("inner".into()), ..asked("http://a/") }), ["other"]);
    assert_eq!(names(&ExplainQuery { gateway: Some("edge".into()), ..asked("http://a:80/") }), ["edge"]);
    let nobody = answer(&engine, &asked("https://a/"));
    assert_eq!(nobody.verdict, Verdict::Refused);
    assert!(nobody.notes.iter().any(|note| note.contains("does not speak TLS")), "{:?}", nobody.notes);
}

#[test]
fn what_depends_on_the_unknown_stays_open() {
    let routes = "\
virtualHost:
  routes:
  - matchers: [{prefix: /, clientIp: {ranges: [10.0.0.0/8]}}]
    directResponseAction: {status: 201}
  - directResponseAction: {status: 202}
";
    let engine = engine(vec![service("s", 1, routes)]);
    let gateway = one(&engine, &asked("http://a/"));
    assert_eq!((gateway.verdict, gateway.earlier.routes[0].open), (Verdict::Open, true));
    let inside = ExplainQuery { client_ip: Some("10.1.1.1".into()), ..asked("http://a/") };
    assert_eq!(one(&engine, &inside).summary, "201: Envoy answers itself");
    let outside = ExplainQuery { client_ip: Some("192.0.2.1".into()), ..asked("http://a/") };
    assert_eq!(one(&engine, &outside).summary, "202: Envoy answers itself");
}

#[test]
fn what_cannot_be_read_is_refused_without_its_value() {
    let engine = engine(Vec::new());
    let refused = |query: ExplainQuery| explain(&engine, &query).expect_err("a problem").message;
    assert!(refused(asked("a/b")).contains("neither with http://"));
    let message = refused(ExplainQuery { header: vec!["Bearer secret".into()], ..asked("http://a/") });
    assert_eq!(message, "a header is not of the form `name: value`");
    let message = refused(ExplainQuery { client_ip: Some("home".into()), ..asked("http://a/") });
    assert_eq!(message, "\"home\" is not the address of a client");
}
