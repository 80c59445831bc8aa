//! Retries: of a route, of a virtual host, and when there are none.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{service, service_with, upstream};
use crate::harness::{HOST, Site};

#[tokio::test]
async fn failures_are_tried_again_as_the_route_says() {
    let one = Upstream::start("one");
    let routes = r"
- matchers: [{ prefix: /thrice }]
  routeAction: { single: { upstream: { name: one } } }
  options: { retries: { retryOn: 5xx, numRetries: 2, retryBackOff: { baseInterval: 1ms } } }
- matchers: [{ prefix: /by-status }]
  routeAction: { single: { upstream: { name: one } } }
  options: { retries: { retryOn: retriable-status-codes, retriableStatusCodes: [503] } }
- { routeAction: { single: { upstream: { name: one } } } }
";
    let site = Site::start(&[upstream("one", &one), service("retries", routes)]).await;
    // Path, failures to come, the status in the end, and how many requests reach the upstream.
    for (path, failures, status, tries) in
        [("/thrice", 2, 200, 3), ("/thrice", 3, 503, 3), ("/by-status", 1, 200, 2), ("/", 1, 503, 1)]
    {
        let before = one.requests();
        one.behave(|behaviour| behaviour.fail_first = failures);
        assert_eq!(site.get(path).await.status, status, "{path} behind {failures} failures");
        assert_eq!(one.requests() - before, tries, "{path} behind {failures} failures");
        one.behave(|behaviour| behaviour.fail_first = 0);
    }
}

#[tokio::test]
async fn retries_of_the_virtual_host_hold_for_routes_without_their_own() {
    let one = Upstream::start("one");
    let routes = r"
- matchers: [{ prefix: /never }]
  routeAction: { single: { upstream: { name: one } } }
  options: { retries: { retryOn: connect-failure } }
- { routeAction: { single: { upstream: { name: one } } } }
";
    let host = r"
options:
  retries: { retryOn: 5xx, numRetries: 1 }
  includeRequestAttemptCount: true
  includeAttemptCountInResponse: true
";
    let site = Site::start(&[upstream("one", &one), service_with("retries", "*", routes, host)]).await;
    one.behave(|behaviour| behaviour.fail_first = 1);
    let answer = site.ask(&Request::get(HOST, "/")).await;
    assert_eq!((answer.status, answer.header("x-envoy-attempt-count")), (200, Some("2")));
    assert_eq!(answer.json().expect("JSON")["headers"]["x-envoy-attempt-count"], "2");
    one.behave(|behaviour| behaviour.fail_first = 1);
    assert_eq!(site.get("/never").await.status, 503);
}
