//! Services: where instances are, what they speak, how requests spread.

use biplane_core::key::ResourceRef;
use biplane_tags::finding::Severity;
use biplane_tags::service::SourceKind;
use biplane_tags::settings::ServersTransport;
use serde_json::{Value, json};

use super::{Gateway, instance, settings, status};

const RULE: &str = "routers.r.rule=Host(`a.example`)";

fn of(options: &[&str]) -> Gateway {
    let mut tags = vec![RULE.to_owned()];
    tags.extend(options.iter().map(|one| format!("services.web.loadbalancer.{one}")));
    Gateway::of(&tags.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The only upstream, without what says whose instances it has.
fn upstream(options: &[&str]) -> Value {
    let gateway = of(options);
    let mut upstreams = gateway.upstreams();
    assert_eq!(upstreams.len(), 1, "{:#?}", gateway.told());
    let mut upstream = upstreams.remove(0);
    upstream.as_object_mut().expect("an object").shift_remove("nomad");
    upstream
}

#[test]
fn schemes_say_what_the_upstream_speaks() {
    assert_eq!(upstream(&["server.scheme=http"]), json!({}));
    assert_eq!(upstream(&["server.scheme=h2c"]), json!({"useHttp2": true}));
    assert_eq!(upstream(&["server.scheme=https"]), json!({"sslConfig": {}}));
    let unknown = of(&["server.scheme=fcgi"]);
    assert_eq!(status(unknown.route("a.example")), Some(503));
    unknown.tells(Severity::Error, "the scheme \"fcgi\" is none of");
}

#[test]
fn a_url_is_a_fixed_host_with_its_path_if_that_is_preserved() {
    let hosts = json!({"static": {"hosts": [{"addr": "db.example", "port": 8000}]}});
    let url = "server.url=http://db.example:8000/base";
    assert_eq!(upstream(&[url]), hosts);
    assert_eq!(of(&[url]).options("a.example"), json!({}));
    let preserved = of(&[url, "server.preservepath=true"]).options("a.example");
    assert_eq!(preserved["regexRewrite"]["substitution"], json!(r"/base/\1"));
    let host = of(&[url, "passhostheader=false"]).options("a.example");
    assert_eq!(host, json!({"hostRewrite": "db.example:8000"}));
    assert_eq!(status(of(&["server.url=ftp://x"]).route("a.example")), Some(503));
}

#[test]
fn sticky_sessions_hash_a_cookie() {
    let options = ["sticky.cookie.name=sid", "sticky.cookie.maxage=60", "sticky.cookie.path=/x"];
    assert_eq!(upstream(&options), json!({"loadBalancerConfig": {"ringHash": {}}}));
    let policy = json!({"cookie": {"name": "sid", "ttl": "60s", "path": "/x"}});
    assert_eq!(of(&options).options("a.example"), json!({"lbHash": {"hashPolicies": [policy]}}));
    of(&["sticky.cookie.secure=true"]).tells(Severity::Warning, "of the sticky cookie are left out");
}

#[test]
fn strategies_have_their_like() {
    assert_eq!(upstream(&["strategy=p2c"]), json!({"loadBalancerConfig": {"leastRequest": {}}}));
    assert_eq!(upstream(&["strategy=hrw"]), json!({"loadBalancerConfig": {"maglev": {}}}));
    assert_eq!(upstream(&["strategy=wrr"]), json!({}));
}

#[test]
fn health_checks_are_envoys() {
    let options = [
        "healthcheck.path=/up",
        "healthcheck.interval=5s",
        "healthcheck.timeout=2",
        "healthcheck.hostname=up.example",
        "healthcheck.status=204",
        "healthcheck.headers.X-Probe=1",
    ];
    let http = json!({
        "path": "/up",
        "expectedStatuses": [{"start": 204, "end": 205}],
        "host": "up.example",
        "requestHeadersToAdd": [{"header": {"key": "X-Probe", "value": "1"}, "append": false}],
    });
    let check = json!({
        "interval": "5s",
        "noTrafficInterval": "5s",
        "timeout": "2s",
        "unhealthyThreshold": 1,
        "healthyThreshold": 1,
        "httpHealthCheck": http,
    });
    assert_eq!(upstream(&options), json!({ "healthChecks": [check] }));
    let grpc = upstream(&["healthcheck.mode=grpc", "server.scheme=h2c"]);
    assert_eq!(grpc["healthChecks"][0]["grpcHealthCheck"], json!({}));
    of(&["healthcheck.mode=grpc"]).tells(Severity::Warning, "it needs server.scheme=h2c");
    let port = of(&["healthcheck.path=/up", "healthcheck.port=9000"]);
    port.tells(Severity::Warning, "healthCheck with a port");
    assert_eq!(port.upstreams()[0]["healthChecks"], Value::Null);
}

#[test]
fn passive_checks_are_outlier_detection() {
    let detection = json!({
        "consecutive5xx": 3, "interval": "20s", "baseEjectionTime": "20s", "maxEjectionPercent": 100,
    });
    let options = ["passivehealthcheck.failurewindow=20s", "passivehealthcheck.maxfailedattempts=3"];
    assert_eq!(upstream(&options), json!({ "outlierDetection": detection }));
}

#[test]
fn transports_are_not_known_and_close_what_needs_them() {
    let plain = of(&["serverstransport=slow@file"]);
    assert!(plain.route("a.example")["routeAction"].is_object());
    plain.tells(Severity::Warning, "serversTransport slow@file");
    let https = of(&["serverstransport=mutual@file", "server.scheme=https"]);
    assert_eq!(status(https.route("a.example")), Some(503));
    https.tells(Severity::Error, "the serversTransport mutual@file is not known");
}

#[test]
fn settings_say_how_certificates_of_services_are_verified() {
    let secret = ResourceRef { namespace: "edge".to_owned(), name: "roots".to_owned() };
    let named = ServersTransport {
        secret_ref: Some(secret.clone()),
        server_name: Some("inner.example".to_owned()),
        insecure_skip_verify: false,
    };
    let blind = ServersTransport { insecure_skip_verify: true, ..ServersTransport::default() };
    let mut verifying = settings();
    verifying.traefik.roots_ref = Some(secret);
    verifying.traefik.servers_transports =
        [("mutual@file".to_owned(), named), ("blind".to_owned(), blind)].into();
    let config = |transport: &str| {
        let mut gateway = Gateway::new(verifying.clone());
        let option = "traefik.http.services.web.loadbalancer";
        let tags =
            [format!("{option}.server.scheme=https"), format!("{option}.serverstransport={transport}")];
        gateway.set(SourceKind::Nomad, "web", vec![instance("i", &[tags[0].as_str(), tags[1].as_str()])]);
        gateway.tells_nothing();
        gateway.upstreams()[0]["sslConfig"].clone()
    };
    let secret = json!({"name": "roots", "namespace": "edge"});
    assert_eq!(config(""), json!({"secretRef": secret}));
    let alternatives = json!(["inner.example"]);
    let mutual = json!({"secretRef": secret, "sni": "inner.example", "verifySubjectAltName": alternatives});
    assert_eq!((config("mutual@file"), config("blind")), (mutual, json!({})));
    of(&["server.scheme=https"]).tells(Severity::Warning, "certificates of its instances are not verified");
}

#[test]
fn answers_may_take_their_time_and_websockets_are_let_through() {
    let options = &of(&[]).route("a.example")["options"].clone();
    assert_eq!(*options, json!({"timeout": "0s", "upgrades": [{"websocket": {}}]}));
}

#[test]
fn a_router_needs_a_service_where_there_are_several() {
    let two = ["services.one.loadbalancer.server.port=1", "services.two.loadbalancer.server.port=2"];
    let gateway = Gateway::of(&[RULE, two[0], two[1]]);
    assert!(gateway.routes("a.example").is_empty());
    gateway.tells(Severity::Error, "it names no service, and the instance has several");
    let named = Gateway::of(&[RULE, "routers.r.service=two", two[0], two[1]]);
    assert_eq!(named.upstreams()[0]["nomad"]["port"], json!(2));
}
