//! Tags at random: whatever they say, what comes out can be decoded, and no guard that was asked for is missing.

use biplane_tags::service::SourceKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Gateway, instance, settings};
use crate::envoy::get;

const KEYS: [&str; 45] = [
    "routers.a.rule",
    "routers.b.rule",
    "routers.a.middlewares",
    "routers.b.middlewares",
    "routers.a.service",
    "routers.a.priority",
    "routers.a.entrypoints",
    "routers.a.tls",
    "routers.a.tls.options",
    "services.s.loadbalancer.server.port",
    "services.s.loadbalancer.server.scheme",
    "services.s.loadbalancer.server.url",
    "services.s.loadbalancer.server.preservepath",
    "services.s.loadbalancer.passhostheader",
    "services.s.loadbalancer.sticky.cookie.name",
    "services.s.loadbalancer.sticky.cookie.path",
    "services.s.loadbalancer.sticky.cookie.maxage",
    "services.s.loadbalancer.strategy",
    "services.s.loadbalancer.healthcheck.path",
    "services.s.loadbalancer.healthcheck.interval",
    "services.s.loadbalancer.healthcheck.hostname",
    "services.s.loadbalancer.healthcheck.method",
    "services.s.loadbalancer.healthcheck.headers.X-A",
    "services.s.loadbalancer.passivehealthcheck.failurewindow",
    "services.s.middlewares",
    "middlewares.m.addprefix.prefix",
    "middlewares.m.stripprefix.prefixes",
    "middlewares.n.stripprefixregex.regex",
    "middlewares.n.replacepath.path",
    "middlewares.o.replacepathregex.regex",
    "middlewares.o.replacepathregex.replacement",
    "middlewares.m.chain.middlewares",
    "middlewares.n.headers.customrequestheaders.X-A",
    "middlewares.n.headers.customrequestheaders.Host",
    "middlewares.n.headers.customresponseheaders.x y",
    "middlewares.n.headers.accesscontrolalloworiginlist",
    "middlewares.n.headers.accesscontrolalloworiginlistregex",
    "middlewares.n.headers.accesscontrolmaxage",
    "middlewares.o.basicauth.users",
    "middlewares.o.basicauth.headerfield",
    "middlewares.p.redirectregex.regex",
    "middlewares.p.redirectregex.replacement",
    "middlewares.p.redirectscheme.port",
    "middlewares.p.retry.attempts",
    "middlewares.p.retry.status",
];

const VALUES: [&str; 40] = [
    "",
    "true",
    "false",
    "1",
    "-1",
    "70000",
    "443",
    "10s",
    "0s",
    "99999999h",
    "m",
    "m,n",
    "n, o,p",
    "s",
    "s@nomad",
    "x@file",
    "/",
    "/api",
    "/a b/%/ü",
    "api",
    r"/a\b$1",
    "Host(`a.example`)",
    "Host(`a.example`) && PathPrefix(`/api`)",
    "PathRegexp(`^/(a|b)+`) || !Header(`X-A`, `1`)",
    "Host(",
    "^/api/(.*)$",
    "((((((((((a))))))))))",
    "(?P<x>a)|b",
    "[",
    "/x/$1/${x}/$$",
    "https://b.example/$1",
    "^https?://(?:www\\.)?(.+)",
    "http://10.0.0.9:81/base?x",
    "h2c",
    "https",
    "joe:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    "joe:secret",
    "line\nbreak",
    "500-599,400",
    "%REQ(x)% 100%",
];

fn tags() -> impl Strategy<Value = Vec<String>> {
    let tag = (select(&KEYS[..]), select(&VALUES[..]));
    let tag = tag.prop_map(|(key, value)| format!("traefik.http.{key}={value}"));
    vec(tag, 0..14)
}

fn of(tags: &[String], more: &[&str]) -> Gateway {
    let mut gateway = Gateway::new(settings());
    let tags: Vec<&str> = tags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    gateway.set(SourceKind::Nomad, "web", vec![instance("i", &tags)]);
    gateway
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_out_of_any_tags_can_be_decoded(tags in tags()) {
        let mut gateway = of(&tags, &[]);
        gateway.set(SourceKind::Nomad, "web", Vec::new());
        prop_assert!(gateway.documents.is_empty(), "{:?}", gateway.documents);
    }

    /// Nobody from elsewhere gets through, whatever else the tags say: the guard stands at the front of the list.
    #[test]
    fn a_guard_holds_beside_any_other_tags(tags in tags()) {
        let guard = [
            "traefik.http.routers.g.rule=Host(`guarded.example`)",
            "traefik.http.routers.g.priority=100000",
            "traefik.http.routers.g.service=web",
            "traefik.http.routers.g.middlewares=guard,m,n,o,p",
            "traefik.http.middlewares.guard.ipallowlist.sourcerange=10.0.0.0/8",
        ];
        let gateway = of(&tags, &guard);
        if let Some(route) = gateway.decoded.answer(&get("guarded.example", "/")) {
            prop_assert!(route.route_action.is_none(), "{route:?} {tags:?}");
        }
    }
}
