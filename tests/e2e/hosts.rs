//! The host that the upstream sees.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{object, service, upstream};
use crate::harness::{HOST, Site};

#[tokio::test]
async fn host_is_rewritten_by_value_header_path_and_endpoint() {
    let one = Upstream::start("one");
    let routes = r#"
- matchers: [{ prefix: /value }]
  routeAction: { single: { upstream: { name: one } } }
  options: { hostRewrite: inside.example.com, appendXForwardedHost: true }
- matchers: [{ prefix: /header }]
  routeAction: { single: { upstream: { name: one } } }
  options: { hostRewriteHeader: x-host }
- matchers: [{ prefix: /tenants/ }]
  routeAction: { single: { upstream: { name: one } } }
  options: { hostRewritePathRegex: { pattern: { regex: "^/tenants/([a-z]+)/.*$" }, substitution: '\1.inside' } }
- matchers: [{ prefix: /endpoint }]
  routeAction: { single: { upstream: { name: by-name } } }
  options: { autoHostRewrite: true }
- { routeAction: { single: { upstream: { name: one } } } }
"#;
    let by_name = format!("static: {{ hosts: [{{ addr: localhost, port: {} }}] }}", one.port());
    let objects = [upstream("one", &one), object("Upstream", "by-name", &by_name), service("hosts", routes)];
    let site = Site::start(&objects).await;
    for (path, host) in [
        ("/value", "inside.example.com"),
        ("/header", "named.inside"),
        ("/tenants/ada/x", "ada.inside"),
        ("/endpoint", "localhost"),
        ("/", HOST),
    ] {
        let told = site.told(&Request::get(HOST, path).header("x-host", "named.inside")).await;
        assert_eq!(told["host"], host, "{path}");
    }
    let told = site.told(&Request::get(HOST, "/value")).await;
    assert_eq!(told["headers"]["x-forwarded-host"], HOST);
}
