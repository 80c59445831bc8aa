//! What routes do with a request: the path, the host and the protocol that the service sees, and redirects.

use biplane_core::key::ResourceRef;
use biplane_core::options::RouteOptions;
use biplane_core::resources::route::{RedirectAction, RedirectCode};
use biplane_tags::finding::Severity;
use regex::Regex;
use serde_json::{Value, json};

use super::{answer, over_tls, settings, tagged, tells, tells_nothing, world};
use crate::envoy::{Request, get};
use crate::services::{World, id};

fn options(world: &World, host: &'static str) -> RouteOptions {
    answer(world, &get(host, "/")).options.map(|options| *options).unwrap_or_default()
}

fn redirect(world: &World, request: &Request) -> RedirectAction {
    *answer(world, request).redirect_action.expect("a redirect")
}

/// The upstream of the only target of a service, without its metadata.
fn upstream(tag: &str, settings: biplane_tags::settings::Settings) -> (Value, World) {
    let mut world = World::new(settings);
    world.set(&id("web"), vec![tagged("i-1", &[tag])]);
    let documents: Vec<Value> = serde_json::from_str(&world.documents.text()).expect("JSON");
    let mut upstream =
        documents.into_iter().find(|document| document.get("nomad").is_some()).expect("an upstream");
    let fields = upstream.as_object_mut().expect("an object");
    fields.retain(|field, _| field != "metadata" && field != "nomad");
    (upstream, world)
}

#[test]
fn paths_are_rewritten_by_prefix_where_that_is_enough() {
    let world = world(&["a.com/ prepend=/p", "b.com/ strip=/x", "c.com/ strip=/"]);
    assert_eq!(options(&world, "a.com").prefix_rewrite.as_deref(), Some("/p/"));
    let rewrite = options(&world, "b.com").regex_rewrite.expect("a regex");
    let replace = |path: &'static str| {
        let regex = Regex::new(&rewrite.pattern.regex).expect("a regex");
        regex.replace(path, rewrite.substitution.replace("\\1", "${1}").as_str()).into_owned()
    };
    assert_eq!(["/x", "/xy", "/x/y", "/y"].map(replace), ["/", "/y", "/y", "/y"]);
    tells_nothing(&world);
}

#[test]
fn the_host_header_is_replaced() {
    let world = world(&["a.com/ host=internal.example", "b.com/ host=dst", "c.com/"]);
    assert_eq!(options(&world, "a.com").host_rewrite.as_deref(), Some("internal.example"));
    assert_eq!(options(&world, "b.com").host_rewrite.as_deref(), Some("10.0.0.1:8080"));
    assert_eq!(options(&world, "c.com").host_rewrite, None);
    tells_nothing(&world);
}

#[test]
fn one_host_header_cannot_be_that_of_several_instances() {
    let mut world = World::new(settings());
    let at = |id: &str, address: &str| {
        let mut instance = tagged(id, &["b.com/ host=dst"]);
        address.clone_into(&mut instance.address);
        instance
    };
    world.set(&id("web"), vec![at("i-1", "10.0.0.1"), at("i-2", "2001:db8::1")]);
    assert_eq!(options(&world, "b.com").host_rewrite, None);
    tells(&world, Severity::Warning, "host=dst keeps the client's Host header");
    world.set(&id("web"), vec![at("i-2", "2001:db8::1")]);
    assert_eq!(options(&world, "b.com").host_rewrite.as_deref(), Some("[2001:db8::1]:8080"));
}

#[test]
fn protocols_are_those_of_the_upstream() {
    for (tag, expected) in [
        ("a.com/", json!({})),
        ("a.com/ proto=http", json!({})),
        ("a.com/ proto=grpc", json!({ "useHttp2": true })),
        ("a.com/ proto=https tlsskipverify=true", json!({ "sslConfig": {} })),
        (
            "a.com/ proto=grpcs tlsskipverify=true grpcservername=x.com",
            json!({ "sslConfig": { "sni": "x.com" }, "useHttp2": true }),
        ),
    ] {
        let (upstream, world) = upstream(tag, settings());
        assert_eq!(upstream, expected, "{tag}");
        tells_nothing(&world);
    }
}

#[test]
fn certificates_of_services_are_verified_by_the_roots_of_the_settings() {
    let (_, world) = upstream("a.com/ proto=https", settings());
    tells(&world, Severity::Warning, "certificate is not verified");
    let mut settings = settings();
    settings.fabio.roots_ref = Some(ResourceRef::new("certs", "roots"));
    let roots = json!({ "namespace": "certs", "name": "roots" });
    let (https, world) = upstream("a.com/ proto=https", settings.clone());
    assert_eq!(https, json!({ "sslConfig": { "secretRef": roots } }));
    tells_nothing(&world);
    let (grpcs, _) = upstream("a.com/ proto=grpcs grpcservername=x.com", settings.clone());
    let verified = json!({ "secretRef": roots, "sni": "x.com", "verifySubjectAltName": ["x.com"] });
    assert_eq!(grpcs, json!({ "useHttp2": true, "sslConfig": verified }));
    let (skipped, _) = upstream("a.com/ proto=https tlsskipverify=true", settings);
    assert_eq!(skipped, json!({ "sslConfig": {} }));
}

#[test]
fn clients_are_sent_elsewhere() {
    let world =
        world(&["a.com:80/ redirect=307,https://$host/$path", "b.com/ redirect=302,http://c.com:81/new?x=1"]);
    let https = RedirectAction {
        https_redirect: Some(true),
        response_code: Some(RedirectCode::TemporaryRedirect),
        ..RedirectAction::default()
    };
    assert_eq!(redirect(&world, &get("a.com", "/x")), https);
    assert!(world.documents.answer(&over_tls(get("a.com", "/x"))).is_none());
    let elsewhere = RedirectAction {
        host_redirect: Some("c.com".to_owned()),
        port_redirect: Some(81),
        path_redirect: Some("/new?x=1".to_owned()),
        response_code: Some(RedirectCode::Found),
        ..RedirectAction::default()
    };
    assert_eq!(redirect(&world, &get("b.com", "/x")), elsewhere);
    tells(&world, Severity::Warning, "the redirect goes to http");
}

#[test]
fn nobody_is_sent_to_where_they_are() {
    let world = world(&["a.com/ redirect=301,https://$host$path", "b.com/ redirect=301,https://b.com/", "/"]);
    let from =
        |host, path, scheme| Request { headers: vec![("x-forwarded-proto", scheme)], ..get(host, path) };
    let is_redirect = |request: &Request| answer(&world, request).redirect_action.is_some();
    assert!(is_redirect(&from("a.com", "/x", "http")) && !is_redirect(&from("a.com", "/x", "https")));
    assert!(is_redirect(&from("b.com", "/", "http")) && !is_redirect(&from("b.com", "/", "https")));
    assert!(is_redirect(&from("b.com", "/x", "https")) && is_redirect(&get("b.com", "/")));
}

#[test]
fn a_redirect_that_fabio_cannot_read_goes_to_the_service() {
    for code in [
        "redirect=301",
        "redirect=301,https://b,c",
        "redirect=200,https://b.com/",
        "redirect=x,https://b.com/",
    ] {
        let world = world(&[&format!("a.com/ {code}")]);
        assert!(answer(&world, &get("a.com", "/")).route_action.is_some(), "{code}");
        tells(&world, Severity::Error, "so requests go to the service");
    }
}

#[test]
fn a_redirect_that_envoy_cannot_send_is_closed() {
    for url in ["ftp://b.com/", "https://www.$host/", "https://b.com:x/", "b.com/x"] {
        let world = world(&[&format!("*.a.com/ redirect=301,{url}"), "/"]);
        assert_eq!(world.documents.status(&get("x.a.com", "/")), Some(503), "{url}");
        assert!(world.findings().iter().any(|finding| finding.severity == Severity::Error), "{url}");
    }
}

#[test]
fn what_has_no_effect_is_told() {
    let world = world(&["a.com/ register=shop proto=quic unknown=1"]);
    for part in ["register has no effect", "proto=quic is not known", "unknown is not an option"] {
        tells(&world, Severity::Warning, part);
    }
    assert!(answer(&world, &get("a.com", "/")).route_action.is_some());
}
