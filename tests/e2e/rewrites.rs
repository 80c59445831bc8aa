//! Rewrites of the path: what the upstream sees.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{service, upstream};
use crate::harness::{HOST, Site};

#[tokio::test]
async fn path_is_rewritten_by_prefix_and_by_regex_and_the_query_stays() {
    let one = Upstream::start("one");
    let routes = r#"
- matchers: [{ prefix: /prefix/ }]
  routeAction: { single: { upstream: { name: one } } }
  options: { prefixRewrite: /v1/ }
- matchers: [{ exact: /exact }]
  routeAction: { single: { upstream: { name: one } } }
  options: { prefixRewrite: /whole }
- matchers: [{ prefix: /regex }]
  routeAction: { single: { upstream: { name: one } } }
  options: { regexRewrite: { pattern: { regex: "^/regex/([0-9]+)/(.*)$" }, substitution: '/\2/of/\1' } }
- { routeAction: { single: { upstream: { name: one } } } }
"#;
    let site = Site::start(&[upstream("one", &one), service("rewrites", routes)]).await;
    for (path, seen) in [
        ("/prefix/users?q=1", "/v1/users?q=1"),
        ("/exact?q=1", "/whole?q=1"),
        ("/regex/42/orders?q=1", "/orders/of/42?q=1"),
        ("/regex/none", "/regex/none"),
        ("/as/it/is?q=1", "/as/it/is?q=1"),
    ] {
        assert_eq!(site.told(&Request::get(HOST, path)).await["path"], seen, "{path}");
    }
}
