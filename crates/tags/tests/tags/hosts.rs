//! Which virtual host a request comes to, and which router has it there.

use biplane_core::key::Kind;
use biplane_core::key::ResourceRef;
use biplane_tags::settings::{Certificate, SharedHosts};

use crate::envoy::{Request, get};
use crate::services::{World, id, in_namespace, own};

#[test]
fn a_host_is_served_with_a_port_and_with_a_dot_behind_it() {
    let mut world = World::new(own());
    world.tags(&id("web"), &["hosts=app.example.com"]);
    for host in ["app.example.com", "APP.example.com", "app.example.com:8080", "app.example.com."] {
        assert_eq!(world.documents.name(&get(host, "/")).as_deref(), Some("default@biplane"), "{host}");
    }
    for host in ["example.com", "b.app.example.com", "app.example.com.evil.org"] {
        assert_eq!(world.documents.name(&get(host, "/")), None, "{host}");
    }
}

#[test]
fn hosts_below_a_suffix_come_to_the_narrowest_domain_with_the_routes_of_the_wider_ones() {
    let mut world = World::new(own());
    world.tags(&id("wide"), &["routes.wide.hosts=*.example.com", "routes.wide.path=/wide"]);
    world.tags(&id("shop"), &["routes.shop.hosts=shop.example.com", "routes.shop.path=/shop"]);
    let name = |host, path| world.documents.name(&get(host, path));
    assert_eq!(name("shop.example.com", "/shop").as_deref(), Some("shop@biplane"));
    assert_eq!(name("shop.example.com", "/wide").as_deref(), Some("wide@biplane"));
    assert_eq!(name("a.b.example.com", "/wide").as_deref(), Some("wide@biplane"));
    assert_eq!(name("a.b.example.com:8080", "/wide").as_deref(), Some("wide@biplane"));
    assert_eq!(name("a.b.example.com", "/shop"), None);
    assert_eq!(name("example.com", "/wide"), None);
}

#[test]
fn a_router_for_all_hosts_is_on_every_host_and_leaves_with_its_service() {
    let mut world = World::new(own());
    world.tags(&id("web"), &["hosts=a.com"]);
    world.tags(&id("health"), &["routes.health.hosts=*", "routes.health.exact=/health"]);
    for host in ["a.com", "b.com"] {
        assert_eq!(world.documents.name(&get(host, "/health")).as_deref(), Some("health@biplane"), "{host}");
    }
    world.remove(&id("health"));
    assert_eq!(world.documents.name(&get("a.com", "/health")).as_deref(), Some("default@biplane"));
    assert_eq!(world.documents.name(&get("b.com", "/health")), None);
    assert_eq!(world.documents.names(Kind::VirtualService), ["a.com"]);
}

#[test]
fn routers_are_asked_by_priority_whatever_service_they_are_of() {
    let mut world = World::new(own());
    world.tags(&id("a"), &["routes.a.hosts=a.com", "routes.a.path=/x"]);
    world.tags(&id("b"), &["routes.b.hosts=a.com", "routes.b.path=/x/y"]);
    world.tags(&id("c"), &["routes.c.hosts=a.com", "routes.c.path=/", "routes.c.priority=1"]);
    let name = |path| world.documents.name(&get("a.com", path)).unwrap();
    assert_eq!(name("/x/y/z"), "c@biplane");
    world.tags(&id("c"), &["routes.c.hosts=a.com", "routes.c.path=/", "routes.c.priority=-1"]);
    let name = |path| world.documents.name(&get("a.com", path)).unwrap();
    assert_eq!(
        (name("/x/y/z"), name("/x"), name("/xy")),
        ("b@biplane".into(), "a@biplane".into(), "c@biplane".into())
    );
}

#[test]
fn gateways_serve_the_routers_that_name_them_and_those_that_name_none() {
    let mut settings = own();
    settings.entry_points.insert("web".to_owned(), vec!["http".to_owned(), "http-internal".to_owned()]);
    let mut world = World::new(settings);
    world.tags(&id("all"), &["routes.all.hosts=a.com"]);
    world.tags(&id("web"), &["routes.web.hosts=a.com", "routes.web.path=/web", "routes.web.gateways=web"]);
    world.tags(&id("only"), &["routes.only.hosts=b.com", "routes.only.gateways=http"]);
    let on = |gateway, host, path| world.documents.name(&Request { gateway, ..get(host, path) });
    assert_eq!(on("http-internal", "a.com", "/web").as_deref(), Some("web@biplane"));
    assert_eq!(on("other", "a.com", "/web").as_deref(), Some("all@biplane"));
    assert_eq!(on("http", "b.com", "/").as_deref(), Some("only@biplane"));
    assert_eq!(on("other", "b.com", "/"), None);
    assert_eq!(
        world.documents.names(Kind::VirtualService),
        ["a.com", "a.com@http,http-internal", "b.com@http"]
    );
}

#[test]
fn tls_and_plain_connections_have_virtual_services_of_their_own() {
    let mut settings = own();
    let secret_ref = ResourceRef::new("certs", "wildcard");
    settings.certificates.push(Certificate { hosts: vec!["*.example.com".to_owned()], secret_ref });
    let mut world = World::new(settings);
    world.tags(&id("web"), &["hosts=a.example.com,b.org", "redirectHttps=true", "allow=192.0.2.0/24"]);
    let secure = |host| Request { tls: true, ..get(host, "/") };
    assert!(world.documents.answer(&secure("a.example.com")).unwrap().route_action.is_some());
    let redirect = world.documents.answer(&get("a.example.com", "/")).unwrap().redirect_action.unwrap();
    assert_eq!(redirect.https_redirect, Some(true));
    let made = world.documents.value(Kind::VirtualService, "a.example.com~tls");
    assert_eq!(
        made["sslConfig"],
        serde_json::json!({
            "secretRef": { "namespace": "certs", "name": "wildcard" },
            "sniDomains": ["a.example.com"],
        })
    );
    assert_eq!(world.documents.answer(&secure("b.org")), None);
    assert!(world.finding().message.contains("not served on b.org: no certificate"), "{}", world.finding());
}

#[test]
fn a_host_stays_with_the_namespace_that_had_it_first() {
    let mut world = World::new(own());
    let (first, second) = (in_namespace("z", "first"), in_namespace("a", "second"));
    world.tags(&first, &["routes.first.hosts=a.com", "routes.first.path=/x"]);
    world.tags(&second, &["routes.second.hosts=a.com", "routes.second.path=/", "routes.second.priority=9"]);
    assert_eq!(world.documents.name(&get("a.com", "/x")).as_deref(), Some("first@biplane"));
    assert_eq!(world.documents.name(&get("a.com", "/y")), None);
    assert_eq!((&world.finding().service, world.finding().other.as_ref()), (&second, Some(&first)));
    world.tags(&first, &["routes.first.hosts=b.com"]);
    assert_eq!(world.documents.name(&get("a.com", "/x")).as_deref(), Some("second@biplane"));
    assert_eq!(world.findings().len(), 0);
}

#[test]
fn hosts_may_be_shared_with_anyone_or_with_nobody() {
    for (shared, answers) in [(SharedHosts::Anyone, true), (SharedHosts::Service, false)] {
        let mut settings = own();
        settings.shared_hosts = shared;
        let mut world = World::new(settings);
        world.tags(&in_namespace("a", "first"), &["hosts=a.com", "path=/x"]);
        world.tags(&in_namespace("a", "second"), &["hosts=a.com", "path=/y"]);
        assert_eq!(world.documents.name(&get("a.com", "/y")).is_some(), answers, "{shared:?}");
    }
}

#[test]
fn of_two_services_with_one_rule_the_first_keeps_it_however_important_the_other_is() {
    let mut world = World::new(own());
    world.tags(&id("z"), &["routes.z.hosts=a.com", "routes.z.path=/x"]);
    world.tags(&id("a"), &["routes.a.hosts=a.com", "routes.a.path=/x", "routes.a.priority=5"]);
    assert_eq!(world.documents.name(&get("a.com", "/x")).as_deref(), Some("z@biplane"));
    assert_eq!((&world.finding().service, world.finding().other.as_ref()), (&id("a"), Some(&id("z"))));
    world.remove(&id("z"));
    assert_eq!(world.documents.name(&get("a.com", "/x")).as_deref(), Some("a@biplane"));
    assert!(world.findings().is_empty());
}

#[test]
fn services_that_were_there_at_the_start_are_seated_by_their_ids_in_whatever_order_they_are_told() {
    let claims = ["hosts=a.com", "path=/x"];
    for order in [["a", "b"], ["b", "a"]] {
        let mut world = World::starting(own());
        for name in order {
            world.tags(&id(name), &claims);
        }
        assert_eq!(world.finding().service, id("b"), "{order:?}");
        world.table.settle();
        world.tags(&id("0"), &claims);
        let junior: Vec<_> = world.findings().iter().map(|finding| finding.service.clone()).collect();
        assert_eq!(junior, [id("0"), id("b")], "{order:?}");
    }
}
