//! Several instances and several services: rolling deployments, canaries, names that others define.

use biplane_tags::finding::Severity;
use biplane_tags::reader::{Deployment, Lineup, Reader};
use biplane_tags::service::{Instance, SourceKind};
use biplane_tags::traefik::TraefikReader;
use serde_json::{Value, json};

use super::{Gateway, id, instance, settings, status};

fn versioned(id: &str, version: u64, healthy: bool, tags: &[&str]) -> Instance {
    Instance { version, healthy, ..instance(id, tags) }
}

fn of(source: SourceKind, instances: Vec<Instance>) -> Gateway {
    let mut gateway = Gateway::new(settings());
    gateway.set(source, "web", instances);
    gateway
}

fn weights(route: &Value) -> Vec<u64> {
    let destinations = route["routeAction"]["multi"]["destinations"].as_array();
    destinations.into_iter().flatten().filter_map(|one| one["weight"].as_u64()).collect()
}

#[test]
fn the_newest_healthy_version_decides_and_the_route_never_goes() {
    let old = versioned("a", 1, true, &["traefik.http.routers.r.rule=Host(`old.example`)"]);
    let rule = "traefik.http.routers.r.rule=Host(`new.example`)";
    let waiting = of(SourceKind::Nomad, vec![old.clone(), versioned("b", 2, false, &[rule])]);
    assert_eq!((waiting.routes("old.example").len(), waiting.routes("new.example").len()), (1, 0));
    let deployed = of(SourceKind::Nomad, vec![old, versioned("b", 2, true, &[rule])]);
    assert_eq!((deployed.routes("old.example").len(), deployed.routes("new.example").len()), (0, 1));
    deployed.tells(Severity::Warning, "router r: instances disagree");
}

#[test]
fn services_without_healthy_instances_keep_their_routes() {
    let gateway = of(SourceKind::Consul, vec![versioned("a", 1, false, &[])]);
    assert!(gateway.route("web")["routeAction"].is_object());
}

#[test]
fn a_port_that_is_the_instances_own_needs_no_upstream_of_its_own() {
    let with_port = |id: &str, port: u16| {
        let tag = format!("traefik.http.services.web.loadbalancer.server.port={port}");
        Instance { port, ..instance(id, &[&tag]) }
    };
    let gateway = of(SourceKind::Nomad, vec![with_port("a", 20001), with_port("b", 20002)]);
    let upstream =
        json!({"nomad": {"serviceName": "web", "region": "dc1", "namespace": "default", "source": "s"}});
    assert_eq!(gateway.upstreams(), [upstream]);
    gateway.tells_nothing();
}

#[test]
fn ports_that_differ_by_instance_are_upstreams_by_tag() {
    let nine = "traefik.http.services.web.loadbalancer.server.port=9000";
    let ten = "traefik.http.services.web.loadbalancer.server.port=9010";
    let instances = vec![instance("a", &[nine]), instance("b", &[ten]), instance("c", &[ten])];
    let gateway = of(SourceKind::Consul, instances);
    assert_eq!(weights(gateway.route("web")), [1, 2]);
    let of_port = |port: u16, tag: &str| {
        let consul = json!({
            "serviceName": "web", "dataCenters": ["dc1"], "instanceTags": [tag], "port": port, "source": "s",
        });
        json!({ "consul": consul })
    };
    for upstream in [of_port(9000, nine), of_port(9010, ten)] {
        assert!(gateway.upstreams().contains(&upstream), "{:#?}", gateway.upstreams());
    }
}

#[test]
fn canaries_have_routers_and_upstreams_of_their_own() {
    let mark = "traefik.consulcatalog.canary=true";
    let canary = ["traefik.http.routers.canary.rule=Host(`a.example`) && Header(`X-Canary`, `1`)", mark];
    let stable = ["traefik.http.routers.stable.rule=Host(`a.example`)"];
    let gateway = of(SourceKind::Consul, vec![instance("a", &stable), instance("b", &canary)]);
    let names: Vec<_> = gateway.routes("a.example").iter().map(|route| route["name"].clone()).collect();
    assert_eq!(names, ["canary@traefik", "stable@traefik"]);
    let tags = |field: &str| -> Vec<Value> {
        gateway
            .upstreams()
            .iter()
            .map(|one| one["consul"][field].clone())
            .filter(|tags| !tags.is_null())
            .collect()
    };
    assert_eq!(
        (tags("instanceTags"), tags("instanceBlacklistTags")),
        (vec![json!([mark])], vec![json!([mark])])
    );
}

#[test]
fn canaries_with_the_same_rule_get_their_share_by_instances() {
    let tags =
        |version: &str| ["traefik.http.routers.r.rule=Host(`a.example`)".to_owned(), version.to_owned()];
    let tags_of = |version: &str| tags(version).to_vec();
    let stable = |id: &str| Instance { tags: tags_of("v1"), ..instance(id, &[]) };
    let canary = Instance { tags: tags_of("v2"), canary: true, version: 2, ..instance("c", &[]) };
    let gateway = of(SourceKind::Nomad, vec![stable("a"), stable("b"), canary]);
    assert_eq!(weights(gateway.route("a.example")), [2, 1]);
    let canaries: Vec<_> = gateway.upstreams().iter().map(|one| one["nomad"]["canaries"].clone()).collect();
    assert!(canaries.contains(&json!("only")) && canaries.contains(&json!("exclude")), "{canaries:?}");
    gateway.tells_nothing();
}

/// Two services of one scope: what `guarded` names is defined by `guards`.
fn two_services(guarded: &[&str], guards: &[&str]) -> Gateway {
    let mut gateway = Gateway::new(settings());
    gateway.set(SourceKind::Nomad, "guarded", vec![instance("a", guarded)]);
    gateway.set(SourceKind::Nomad, "guards", vec![instance("b", guards)]);
    gateway
}

const ROUTER: &str = "traefik.http.routers.r.rule=Host(`a.example`)";
const NAMES: &str = "traefik.http.routers.r.middlewares=office@nomad";
const OFFICE: &str = "traefik.http.middlewares.office.ipallowlist.sourcerange=10.0.0.0/8";

#[test]
fn a_route_is_closed_until_somebody_defines_its_middleware() {
    let mut gateway = two_services(&[ROUTER, NAMES], &[]);
    assert_eq!(status(gateway.route("a.example")), Some(403));
    gateway.tells(Severity::Error, "the middleware office@nomad is not known");
    gateway.set(SourceKind::Nomad, "guards", vec![instance("b", &[OFFICE])]);
    let statuses: Vec<_> = gateway.routes("a.example").into_iter().map(status).collect();
    assert_eq!(statuses, [Some(403), None]);
    gateway.set(SourceKind::Nomad, "guards", vec![instance("b", &[])]);
    assert_eq!(status(gateway.route("a.example")), Some(403));
}

#[test]
fn nobody_changes_what_another_service_is_guarded_by() {
    let open = "traefik.http.middlewares.office.ipallowlist.sourcerange=0.0.0.0/0";
    let gateway = two_services(&[ROUTER, NAMES, OFFICE], &[open]);
    let matcher = &gateway.routes("a.example")[0]["matchers"][0]["clientIp"];
    assert_eq!(*matcher, json!({"ranges": ["10.0.0.0/8"], "invertMatch": true}));
    gateway
        .tells(Severity::Warning, "middleware office is defined by another service too; each uses its own");
}

#[test]
fn nobody_adds_instances_to_the_service_of_another() {
    let defines = "traefik.http.services.shop.loadbalancer.server.port=80";
    let gateway = two_services(&[ROUTER, "traefik.http.routers.r.service=shop", defines], &[defines]);
    let upstream = &gateway.route("a.example")["routeAction"]["single"]["upstream"]["name"];
    assert!(upstream.as_str().is_some_and(|name| name.contains("guarded")), "{upstream}");
    gateway.tells(Severity::Warning, "service shop is defined by another service too");
}

#[test]
fn a_router_may_lead_to_what_another_service_defines() {
    let gateway = two_services(&[ROUTER, "traefik.http.routers.r.service=guards"], &[]);
    let upstream = &gateway.route("a.example")["routeAction"]["single"]["upstream"]["name"];
    assert!(upstream.as_str().is_some_and(|name| name.contains("guards")), "{upstream}");
}

#[test]
fn equal_names_of_routers_stay_with_the_first_service() {
    let other = "traefik.http.routers.r.rule=Host(`b.example`)";
    let gateway = two_services(&[ROUTER], &[other]);
    assert_eq!((gateway.routes("a.example").len(), gateway.routes("b.example").len()), (1, 0));
    gateway.tells(Severity::Error, "another service has a router named \"r\"");
}

#[test]
fn a_guard_behind_the_chain_of_another_service_is_followed() {
    let chain = "traefik.http.middlewares.office.chain.middlewares=ranges";
    let ranges = |range: &str| format!("traefik.http.middlewares.ranges.ipallowlist.sourcerange={range}");
    let mut gateway = two_services(&[ROUTER, NAMES], &[chain]);
    assert_eq!(status(gateway.route("a.example")), Some(403));
    for range in ["10.0.0.0/8", "10.1.0.0/16"] {
        gateway.set(SourceKind::Nomad, "ranges", vec![instance("c", &[&ranges(range)])]);
        let client = &gateway.routes("a.example")[0]["matchers"][0]["clientIp"];
        assert_eq!(client["ranges"], json!([range]));
    }
}

#[test]
fn a_service_among_many_that_agree_concerns_itself_only() {
    let mut reader = TraefikReader::new(&settings());
    let tags = ["traefik.http.middlewares.https.redirectscheme.scheme=https"];
    let set = |reader: &mut TraefikReader, number: usize, tags: &[&str]| {
        let id = id(SourceKind::Nomad, &format!("web-{number:03}"));
        let stable = Deployment { instances: vec![instance("i", tags)], ..Deployment::default() };
        reader.set(&id, Some(&Lineup { id: id.clone(), stable, canary: None }))
    };
    for number in 0..200 {
        assert_eq!(set(&mut reader, number, &tags).len(), 1);
    }
    assert_eq!(set(&mut reader, 7, &[]).len(), 1);
    // One that differs is told to all.
    let other = ["traefik.http.middlewares.https.redirectscheme.scheme=http"];
    let told = set(&mut reader, 100, &other);
    assert_eq!(told.len(), 199);
    assert!(told.iter().all(|reading| reading.findings.len() == 1), "{told:#?}");
}

#[test]
fn all_names_that_are_not_known_are_told() {
    let chain = "traefik.http.middlewares.all.chain.middlewares=one, two@file";
    let tags = [
        ROUTER,
        "traefik.http.routers.r.middlewares=all,three",
        "traefik.http.routers.r.service=four",
        chain,
    ];
    let gateway = of(SourceKind::Nomad, vec![instance("a", &tags)]);
    for part in ["middleware one", "middleware two@file", "middleware three", "service four"] {
        gateway.tells(Severity::Error, &format!("the {part} is not known"));
    }
    assert_eq!(status(gateway.route("a.example")), Some(403));
}

#[test]
fn a_chain_that_leads_to_itself_closes_the_route() {
    let chain = "traefik.http.middlewares.ring.chain.middlewares=ring";
    let tags = [ROUTER, "traefik.http.routers.r.middlewares=ring", chain];
    let gateway = of(SourceKind::Nomad, vec![instance("a", &tags)]);
    assert_eq!(status(gateway.route("a.example")), Some(403));
    gateway.tells(Severity::Error, "leads to itself");
}
