//! What `biplane explain` says of a request is what Envoy does with it.

use biplane_testkit::biplane::{self, Output};
use biplane_testkit::http::Method;
use biplane_testkit::{Authority, ClientTls, Request, Response, Upstream};
use serde_json::Value;

use crate::harness::resources::{object, route_answering, secret, service_at, tls_service, upstream};
use crate::harness::{Site, Tree};

/// Two services that share a domain, of which each has routes that would hide some of the other's.
const OLDER: &str = r#"
- { matchers: [{ prefix: / , methods: [POST, PATCH] }], directResponseAction: { status: 200, body: changes } }
- { matchers: [{ exact: /login }, { exact: /Logout, caseSensitive: false }], directResponseAction: { status: 200, body: session } }
- { matchers: [{ regex: "/users/[a-z0-9-]{1,64}" }], directResponseAction: { status: 200, body: user } }
- { matchers: [{ prefix: /, headers: [{ name: x-version, value: "v[0-9]+", regex: true }, { name: x-old, value: "1", invertMatch: true }] }], directResponseAction: { status: 200, body: versioned } }
- { matchers: [{ prefix: /search, queryParameters: [{ name: q }, { name: page, value: "1" }] }], directResponseAction: { status: 200, body: first-page } }
- { matchers: [{ prefix: /here, clientIp: { ranges: [127.0.0.0/8] } }], directResponseAction: { status: 200, body: here } }
- { matchers: [{ prefix: /old }], redirectAction: { prefixRewrite: /new, responseCode: FOUND } }
- { matchers: [{ prefix: /secure }], redirectAction: { httpsRedirect: true } }
- { matchers: [{ prefix: /tables }], delegateAction: { ref: { name: table } } }
- { matchers: [{ prefix: /gone }], routeAction: { single: { upstream: { name: gone } } } }
"#;
const YOUNGER: &str = r"
- { matchers: [{ prefix: /users }], directResponseAction: { status: 200, body: users } }
- { matchers: [{ prefix: /users/admin }], directResponseAction: { status: 403, body: admin } }
- { matchers: [{ prefix: /old }], directResponseAction: { status: 200, body: never } }
- { matchers: [{ prefix: /api }], routeAction: { single: { upstream: { name: api } } }, options: { prefixRewrite: /v2 } }
";
const TABLE: &str = r"
routes:
- { matchers: [{ prefix: /tables/a }], directResponseAction: { status: 200, body: table-a } }
- { matchers: [{ prefix: /tables/b, headers: [{ name: x-b, invertMatch: true }] }], directResponseAction: { status: 200, body: table-b } }
";

fn explained(site: &Site, url: &str, request: &Request, more: &[&str]) -> (i32, Value) {
    let Output { code, stdout, stderr } = asked(site, url, request, &[more, &["-o", "json"]].concat());
    let explanation = serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{why}: {stdout}{stderr}"));
    (code, explanation)
}

fn asked(site: &Site, url: &str, request: &Request, more: &[&str]) -> Output {
    let api = format!("http://{}", site.biplane.admin());
    let mut arguments = vec!["explain", url, "--api", &api, "--method", request.method.as_str()];
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    for header in &headers {
        arguments.extend(["--header", header]);
    }
    arguments.extend(more);
    biplane::run(arguments)
}

/// Fails unless Envoy did what was said.
fn assert_same(answer: &Response, code: i32, explanation: &Value, what: &str) {
    let gateway = &explanation["gateways"][0];
    let effect = &gateway["effect"];
    let said = match explanation["verdict"].as_str() {
        Some("noRoute") => 404,
        Some("unavailable") => 503,
        _ => effect["status"].as_u64().unwrap_or(200),
    };
    assert_eq!(u64::from(answer.status), said, "{what}: {explanation:#}");
    assert_eq!(code == 0, explanation["verdict"] == "answered", "{what}");
    match effect["kind"].as_str() {
        Some("respond") => assert_eq!(effect["body"], answer.text(), "{what}: {explanation:#}"),
        Some("redirect") => {
            assert_eq!(effect["location"].as_str(), answer.header("location"), "{what}: {explanation:#}");
        }
        Some("forward") if said == 200 => {
            let cluster = effect["clusters"][0]["cluster"].as_str().expect("a cluster");
            assert_eq!(answer.upstream(), cluster.strip_suffix("_gloo-system"), "{what}");
            let path = answer.json().expect("an account")["path"].clone();
            let expected = format!("the path becomes {}", path.as_str().expect("a path"));
            assert_eq!(effect["options"][0], expected.split('?').next().expect("a part"), "{what}");
        }
        _ => {}
    }
}

async fn shared() -> (Site, Upstream) {
    let api = Upstream::start("api");
    let aged = |service: String, age: u8| {
        service.replacen(
            "metadata: {",
            &format!("metadata: {{ creationTimestamp: '2026-01-0{age}T00:00:00Z',"),
            1,
        )
    };
    let objects = [
        aged(service_at("younger", "shop.example.com", YOUNGER), 2),
        aged(service_at("older", "shop.example.com", OLDER), 1),
        service_at("suffix", "*.example.com", &route_answering("/", "suffix")),
        service_at("prefix", "shop.*", &route_answering("/", "prefix")),
        object("RouteTable", "table", TABLE),
        upstream("api", &api),
    ];
    (Site::start(&objects).await, api)
}

#[tokio::test]
async fn the_route_that_is_named_is_the_route_that_envoy_takes() {
    let (site, _api) = shared().await;
    let get = |path: &str| Request::get("shop.example.com", path);
    let requests = [
        get("/login?next=/"),
        get("/login/"),
        get("/lOGOUT"),
        get("/users/ada-1"),
        get("/users/admin/x"),
        get("/users"),
        get("/"),
        Request::new(Method::PATCH, "shop.example.com", "/users"),
        get("/any").header("x-version", "v12"),
        get("/any").header("x-version", "v12").header("X-Old", "0"),
        get("/any").header("x-version", "v12").header("x-old", "1"),
        get("/search?q&page=1&page=2"),
        get("/search?q=a&page=11"),
        get("/here/and/there"),
        get("/old/a/b?c=d"),
        get("/secure?x"),
        get("/tables/b"),
        get("/tables/b").header("x-b", "any"),
        get("/tables/c"),
        get("/api/pets?x=1"),
        get("/gone"),
        get("/tables/x/../a"),
        get("/tables/%2e/a"),
        get("/%6cogin"),
        get("/users%2Fx"),
        get("//login"),
        Request::get("www.example.com", "/"),
        Request::get("SHOP.example.org", "/"),
        Request::get("shop.example.com:8080", "/users"),
        Request::get("other.test", "/"),
    ];
    for request in &requests {
        let what = format!("{} {}{} {:?}", request.method, request.host, request.path, request.headers);
        let url = format!("http://{}{}", request.host, request.path);
        let more = ["--gateway", "web", "--client-ip", "127.0.0.1"];
        let (code, explanation) = explained(&site, &url, request, &more);
        assert_same(&site.ask(request).await, code, &explanation, &what);
    }
}

#[tokio::test]
async fn people_read_where_the_route_is_written_who_lost_and_where_the_request_goes() {
    let (site, api) = shared().await;
    let request = Request::get("shop.example.com", "/old");
    let run = asked(&site, "http://shop.example.com/old", &request, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let expected = [
        "Gateway gloo-system/web on 127.0.0.1:",
        "302: the client is sent to http://shop.example.com/new",
        "VirtualService gloo-system/older virtualHost.routes[6].matchers[0], resources.yaml:",
        "  lost     VirtualService gloo-system/younger virtualHost.routes[2].matchers[0]",
    ];
    for line in expected {
        assert!(run.stdout.contains(line), "{line:?} is not in\n{}", run.stdout);
    }
    let run = asked(&site, "http://shop.example.com/api", &request, &[]);
    let address = format!("127.0.0.1:{}", api.port());
    assert!(
        run.stdout.contains("Upstream gloo-system/api") && run.stdout.contains(&address),
        "{}",
        run.stdout
    );
    let run = asked(&site, "http://shop.example.com:1/", &request, &[]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stdout.contains("listens on 127.0.0.1 port "), "{}", run.stdout);
}

#[tokio::test]
async fn server_names_pick_the_certificate_that_envoy_shows() {
    let authority = Authority::new("Ours");
    let one = secret("one", &authority.issue(&["one.example.com"]));
    let wild = secret("wild", &authority.issue(&["*.example.com"]));
    let named = |name: &str, secret: &str, server: &str, body: &str| {
        let ssl = format!("secretRef: {{ name: {secret} }}\nsniDomains: ['{server}']");
        tls_service(name, server, &ssl, &route_answering("/", body))
    };
    let objects = [
        one,
        wild,
        named("one", "one", "one.example.com", "one"),
        named("wild", "wild", "*.example.com", "wild"),
    ];
    let site = Tree::with_tls(&objects).site().await;
    for (host, certificate) in [("one.example.com", "one"), ("two.example.com", "wild")] {
        let tls = ClientTls::trusting(authority.certificate());
        let request = Request::get(host, "/").tls(tls);
        let (code, explanation) = explained(&site, &format!("https://{host}/"), &request, &[]);
        let gateway = &explanation["gateways"][0];
        let expected = format!("gloo-system/{certificate}/certificate");
        assert_eq!(gateway["chain"]["certificates"][0], expected, "{explanation:#}");
        assert_same(&site.ask(&request).await, code, &explanation, host);
    }
    let request = Request::get("one.test", "/");
    let (code, explanation) = explained(&site, "https://one.test/", &request, &[]);
    assert_eq!((code, explanation["verdict"].as_str()), (1, Some("refused")), "{explanation:#}");
    let tls = ClientTls::trusting(authority.certificate());
    assert!(request.tls(tls).send(site.port).await.is_err(), "nobody has a certificate for it");
}
