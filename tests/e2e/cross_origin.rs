//! CORS: preflights are answered by Envoy, requests carry the policy's headers.

use biplane_testkit::http::Method;
use biplane_testkit::{Request, Response, Upstream};

use crate::harness::resources::{service_with, upstream};
use crate::harness::{HOST, Site};

const ROUTES: &str = r"
- matchers: [{ prefix: /own }]
  routeAction: { single: { upstream: { name: one } } }
  options: { cors: { allowOrigin: ['https://own.example.com'], allowMethods: [PUT] } }
- matchers: [{ prefix: /none }]
  routeAction: { single: { upstream: { name: one } } }
  options: { cors: { disableForRoute: true } }
- { routeAction: { single: { upstream: { name: one } } } }
";

const POLICY: &str = r#"
options:
  cors:
    allowOrigin: ["https://app.example.com"]
    allowOriginRegex: ["https://[a-z]+[.]dev[.]example[.]com"]
    allowMethods: [GET, POST]
    allowHeaders: [x-token]
    exposeHeaders: [x-total]
    maxAge: 10m
    allowCredentials: true
"#;

async fn preflight(site: &Site, path: &str, origin: &str) -> Response {
    let request = Request::new(Method::OPTIONS, HOST, path)
        .header("origin", origin)
        .header("access-control-request-method", "GET");
    site.ask(&request).await
}

#[tokio::test]
async fn preflight_is_answered_by_the_policy_of_host_and_route() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_with("cors", "*", ROUTES, POLICY)]).await;

    let answer = preflight(&site, "/", "https://app.example.com").await;
    let header = |name: &str| answer.header(&format!("access-control-{name}"));
    assert_eq!((answer.status, answer.upstream()), (200, None), "Envoy answers by itself");
    assert_eq!(header("allow-origin"), Some("https://app.example.com"));
    assert_eq!(header("allow-methods"), Some("GET,POST"));
    assert_eq!(header("allow-headers"), Some("x-token"));
    assert_eq!(header("max-age"), Some("600"));
    assert_eq!(header("allow-credentials"), Some("true"));

    let allowed = async |path: &str, origin: &str| {
        let answer = preflight(&site, path, origin).await;
        answer.header("access-control-allow-origin").is_some()
    };
    assert!(allowed("/", "https://ada.dev.example.com").await);
    assert!(!allowed("/", "https://evil.example.com").await);
    assert!(allowed("/own", "https://own.example.com").await);
    assert!(!allowed("/own", "https://app.example.com").await);
    assert!(!allowed("/none", "https://app.example.com").await);
}

#[tokio::test]
async fn request_of_an_allowed_origin_carries_the_policys_headers() {
    let one = Upstream::start("one");
    let site = Site::start(&[upstream("one", &one), service_with("cors", "*", ROUTES, POLICY)]).await;
    let answer = site.ask(&Request::get(HOST, "/").header("origin", "https://app.example.com")).await;
    assert_eq!((answer.status, answer.upstream()), (200, Some("one")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("x-total"));
}
