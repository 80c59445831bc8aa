//! Which instances take part, and what those that say little get.

use biplane_tags::finding::Severity;
use biplane_tags::service::SourceKind;
use biplane_tags::settings::Settings;
use biplane_tags::traefik::check;

use super::{Gateway, instance, settings};

fn hosts(gateway: &Gateway) -> Vec<String> {
    let domains =
        gateway.documents.values().filter_map(|document| document["virtualHost"]["domains"][0].as_str());
    domains.map(str::to_owned).collect()
}

fn with(settings: Settings, source: SourceKind, tags: &[&str]) -> Gateway {
    let mut gateway = Gateway::new(settings);
    gateway.set(source, "team_a/web", vec![instance("i", tags)]);
    gateway
}

#[test]
fn nothing_is_exposed_that_does_not_ask_for_it() {
    let mut closed = settings();
    closed.traefik.exposed_by_default = false;
    let rule = "traefik.http.routers.a.rule=Host(`a.example`)";
    let hidden = with(closed.clone(), SourceKind::Nomad, &[rule]);
    assert_eq!(hosts(&hidden), Vec::<String>::new());
    hidden.tells(Severity::Warning, "not exposed");
    with(closed.clone(), SourceKind::Nomad, &[rule, "traefik.enable=false"]).tells_nothing();
    with(closed.clone(), SourceKind::Nomad, &["v1"]).tells_nothing();
    assert_eq!(hosts(&with(closed, SourceKind::Nomad, &[rule, "traefik.enable=true"])), ["a.example"]);
    assert!(!Settings::default().traefik.exposed_by_default);
}

#[test]
fn a_service_without_rules_has_the_default_rule() {
    for source in [SourceKind::Nomad, SourceKind::Consul] {
        assert_eq!(hosts(&with(settings(), source, &[])), ["team-a-web"]);
    }
    let mut labelled = settings();
    labelled.traefik.default_rule = "Host(`{{ index .Labels \"traefik.sub\" }}.example`)".to_owned();
    assert_eq!(hosts(&with(labelled, SourceKind::Consul, &["traefik.sub=shop"])), ["shop.example"]);
}

#[test]
fn default_rules_that_cannot_be_used_are_told() {
    let mut broken = settings();
    broken.traefik.default_rule = "Host(`{{ .Nosuch }}`)".to_owned();
    assert_eq!(check(&broken.traefik).len(), 1);
    let gateway = with(broken, SourceKind::Nomad, &[]);
    assert!(hosts(&gateway).is_empty());
    gateway.tells(Severity::Error, "no field Nosuch");
    let mut empty = settings();
    empty.traefik.default_rule = String::new();
    with(empty, SourceKind::Nomad, &[]).tells(Severity::Error, "the default rule is empty");
}

#[test]
fn constraints_choose_by_tag_and_a_broken_one_exposes_nothing() {
    let mut blue = settings();
    blue.traefik.constraints = "Tag(`blue`) && !TagRegex(`^old`)".to_owned();
    assert_eq!(hosts(&with(blue.clone(), SourceKind::Nomad, &["blue"])).len(), 1);
    assert!(hosts(&with(blue.clone(), SourceKind::Nomad, &["blue", "older"])).is_empty());
    blue.traefik.constraints = "Tag(`blue`".to_owned();
    let gateway = with(blue, SourceKind::Nomad, &["blue"]);
    assert!(hosts(&gateway).is_empty());
    gateway.tells(Severity::Error, "the constraint of the settings cannot be used");
}

#[test]
fn another_prefix_takes_the_place_of_traefiks() {
    let mut edge = settings();
    edge.traefik.prefix = "edge".to_owned();
    let tags =
        ["edge.http.routers.a.rule=Host(`a.example`)", "traefik.http.routers.b.rule=Host(`b.example`)"];
    assert_eq!(hosts(&with(edge, SourceKind::Consul, &tags)), ["a.example"]);
}

#[test]
fn services_of_tcp_and_udp_alone_have_no_http_router() {
    for tag in
        ["traefik.tcp.routers.a.rule=HostSNI(`a`)", "traefik.udp.services.a.loadbalancer.server.port=53"]
    {
        let gateway = with(settings(), SourceKind::Nomad, &[tag]);
        assert!(hosts(&gateway).is_empty(), "{tag}");
        gateway.tells(Severity::Warning, "are not read");
    }
    let both =
        ["traefik.tcp.routers.a.rule=HostSNI(`a`)", "traefik.http.services.x.loadbalancer.server.port=80"];
    assert_eq!(hosts(&with(settings(), SourceKind::Nomad, &both)).len(), 1);
}

#[test]
fn instances_in_consuls_mesh_are_left_out_and_told() {
    let gateway = with(settings(), SourceKind::Consul, &["traefik.consulcatalog.connect=true"]);
    assert!(hosts(&gateway).is_empty());
    gateway.tells(Severity::Error, "Consul's mesh");
}

#[test]
fn a_tag_that_cannot_be_read_takes_the_instance_out() {
    for tag in [
        "traefik.http.routers.a.midlewares=auth",
        "traefik.http.middlewares.m.nosuch.x=1",
        "traefik.http.routers.a.middlewares[0]=auth",
        "traefik.http.routers.a.priority=high",
        "traefik.http.services.s.loadbalancer.server.port=0",
    ] {
        let gateway =
            with(settings(), SourceKind::Nomad, &["traefik.http.routers.a.rule=Host(`a.example`)", tag]);
        assert!(hosts(&gateway).is_empty(), "{tag}");
        gateway.tells(Severity::Error, "the instance is left out");
    }
}

#[test]
fn rules_that_traefik_refuses_are_not_served_and_say_where() {
    for (rule, part) in [
        ("Host(a.example)", "at character 7"),
        ("Headers(`a`, `b`)", "it is Header"),
        ("HostRegexp(`(?!a)`)", "look-ahead"),
    ] {
        let gateway = Gateway::of(&[&format!("routers.a.rule={rule}")]);
        assert!(hosts(&gateway).is_empty(), "{rule}");
        gateway.tells(Severity::Error, part);
    }
    for tag in ["routers.a.rulesyntax=v2", "routers.a.parentrefs=b"] {
        let gateway = Gateway::of(&["routers.a.rule=Host(`a.example`)", tag]);
        assert!(hosts(&gateway).is_empty(), "{tag}");
        gateway.tells(Severity::Error, "left out");
    }
}
