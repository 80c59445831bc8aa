//! Delegation to route tables: by name, by labels, and what children take over from their parents.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{object, object_with, service, upstream};
use crate::harness::{HOST, Site, status};

/// A route table with labels.
fn labelled(name: &str, labels: &str, fields: &str) -> String {
    object_with("RouteTable", &format!("name: {name}, labels: {{ {labels} }}"), fields)
}

#[tokio::test]
async fn table_by_name_answers_below_its_prefix_only() {
    let routes = r"
- { matchers: [{ prefix: /api }], delegateAction: { ref: { name: api, namespace: gloo-system } } }
- { matchers: [{ prefix: /old }], delegateAction: { name: api, namespace: gloo-system } }
- { directResponseAction: { status: 200, body: rest } }
";
    let table = r"
routes:
- { matchers: [{ prefix: /api/users }], directResponseAction: { status: 200, body: users } }
- { matchers: [{ prefix: /old }], directResponseAction: { status: 200, body: old } }
- { matchers: [{ prefix: /other }], directResponseAction: { status: 200, body: outside } }
";
    let site = Site::start(&[service("parent", routes), object("RouteTable", "api", table)]).await;
    for (path, body) in [("/api/users/1", "users"), ("/old", "old"), ("/other", "rest"), ("/api", "rest")] {
        assert_eq!(site.get(path).await.text(), body, "{path}");
    }
    let outside = status::until_report(&site.biplane, "RouteTable gloo-system/api", "/other").await;
    assert_eq!(outside["severity"], "warning", "{outside}");
}

#[tokio::test]
async fn table_that_appears_answers_and_one_that_goes_stops() {
    let routes = r"
- { matchers: [{ prefix: /late }], delegateAction: { ref: { name: late } } }
- { directResponseAction: { status: 200, body: rest } }
";
    let site = Site::start(&[service("parent", routes)]).await;
    assert_eq!(site.get("/late").await.text(), "rest");
    let report = status::until_report(&site.biplane, "VirtualService gloo-system/parent", "late").await;
    assert_eq!(report["severity"], "warning", "{report}");
    let table =
        "routes: [{ matchers: [{ prefix: /late }], directResponseAction: { status: 200, body: here } }]";
    site.files.write("late.yaml", &object("RouteTable", "late", table));
    site.until_body("/late", "here").await;
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn selected_tables_come_by_weight_and_the_more_specific_route_first() {
    let routes = r"
- { matchers: [{ prefix: /teams }], delegateAction: { selector: { labels: { exposed: 'yes' } } } }
- { directResponseAction: { status: 200, body: rest } }
";
    let answer = |prefix: &str, body: &str| {
        format!(
            "{{ matchers: [{{ prefix: {prefix} }}], directResponseAction: {{ status: 200, body: {body} }} }}"
        )
    };
    let table = |weight: i32, routes: &str| format!("weight: {weight}\nroutes: [{routes}]");
    let site = Site::start(&[
        service("parent", routes),
        labelled("a", "exposed: 'yes'", &table(20, &answer("/teams/red", "late"))),
        labelled("b", "exposed: 'yes'", &table(10, &answer("/teams/red", "early"))),
        labelled("c", "exposed: 'yes'", &table(0, &answer("/teams/blue", "short"))),
        labelled("d", "exposed: 'yes'", &table(0, &answer("/teams/blue/deep", "long"))),
        labelled("e", "exposed: 'no'", &table(0, &answer("/teams/grey", "hidden"))),
    ])
    .await;
    for (path, body) in [
        ("/teams/red", "early"),
        ("/teams/blue", "short"),
        ("/teams/blue/deep", "long"),
        ("/teams/grey", "rest"),
    ] {
        assert_eq!(site.get(path).await.text(), body, "{path}");
    }
    let more = labelled("f", "exposed: 'yes'", &table(0, &answer("/teams/new", "joined")));
    site.files.write("more.yaml", &more);
    site.until_body("/teams/new", "joined").await;
    // Nothing names it, so that nothing holds it.
    site.files.remove("more.yaml");
    site.until_body("/teams/new", "rest").await;
}

#[tokio::test]
async fn selector_takes_expressions_and_namespaces() {
    let routes = r"
- matchers: [{ prefix: /a }]
  delegateAction:
    selector:
      namespaces: [teams]
      expressions: [{ key: tier, operator: In, values: [gold, silver] }, { key: hidden, operator: DoesNotExist }]
- { directResponseAction: { status: 200, body: rest } }
";
    let table = |name: &str, namespace: &str, labels: &str| {
        let metadata = format!("name: {name}, namespace: {namespace}, labels: {{ {labels} }}");
        let route = format!(
            "{{ matchers: [{{ prefix: /a/{name} }}], directResponseAction: {{ status: 200, body: {name} }} }}"
        );
        object_with("RouteTable", &metadata, &format!("routes: [{route}]"))
    };
    let site = Site::start(&[
        service("parent", routes),
        table("gold", "teams", "tier: gold"),
        table("bronze", "teams", "tier: bronze"),
        table("hidden", "teams", "tier: gold, hidden: 'yes'"),
        table("elsewhere", "other", "tier: gold"),
    ])
    .await;
    for (path, body) in
        [("/a/gold", "gold"), ("/a/bronze", "rest"), ("/a/hidden", "rest"), ("/a/elsewhere", "rest")]
    {
        assert_eq!(site.get(path).await.text(), body, "{path}");
    }
}

#[tokio::test]
async fn children_inherit_matchers_where_the_parent_says_so() {
    let routes = r"
- matchers: [{ prefix: /in, headers: [{ name: x-tenant, value: a }], methods: [GET] }]
  inheritableMatchers: true
  delegateAction: { ref: { name: inheriting } }
- matchers: [{ prefix: /path }]
  inheritablePathMatchers: true
  delegateAction: { ref: { name: replaced } }
- { directResponseAction: { status: 200, body: rest } }
";
    let inheriting =
        "routes: [{ matchers: [{ exact: /in/side }], directResponseAction: { status: 200, body: inside } }]";
    let replaced = "routes: [{ matchers: [{ prefix: /ignored, headers: [{ name: x-a }] }], directResponseAction: { status: 200, body: by-header } }]";
    let site = Site::start(&[
        service("parent", routes),
        object("RouteTable", "inheriting", inheriting),
        object("RouteTable", "replaced", replaced),
    ])
    .await;
    let get = async |path: &str, header: (&str, &str)| {
        site.ask(&Request::get(HOST, path).header(header.0, header.1)).await.text()
    };
    assert_eq!(get("/in/side", ("x-tenant", "a")).await, "inside");
    assert_eq!(get("/in/side", ("x-tenant", "b")).await, "rest");
    let post = Request::post(HOST, "/in/side", "").header("x-tenant", "a");
    assert_eq!(site.ask(&post).await.text(), "rest");
    assert_eq!(get("/path/any", ("x-a", "1")).await, "by-header");
    assert_eq!(get("/path/any", ("x-b", "1")).await, "rest");
    assert_eq!(get("/elsewhere", ("x-a", "1")).await, "rest");
}

#[tokio::test]
async fn options_of_the_parent_fill_what_children_leave_open() {
    let one = Upstream::start("one");
    let routes = r"
- matchers: [{ prefix: /api }]
  delegateAction: { ref: { name: api } }
  options:
    prefixRewrite: /parent
    headerManipulation: { requestHeadersToAdd: [{ header: { key: x-from, value: parent } }] }
";
    let table = r"
routes:
- matchers: [{ prefix: /api/own }]
  routeAction: { single: { upstream: { name: one } } }
  options: { prefixRewrite: /child }
- matchers: [{ prefix: /api }]
  routeAction: { single: { upstream: { name: one } } }
";
    let objects = [upstream("one", &one), service("parent", routes), object("RouteTable", "api", table)];
    let site = Site::start(&objects).await;
    let own = site.told(&Request::get(HOST, "/api/own")).await;
    assert_eq!((own["path"].as_str(), own["headers"]["x-from"].as_str()), (Some("/child"), Some("parent")));
    let filled = site.told(&Request::get(HOST, "/api/x")).await;
    assert_eq!(
        (filled["path"].as_str(), filled["headers"]["x-from"].as_str()),
        (Some("/parent/x"), Some("parent"))
    );
}

#[tokio::test]
async fn tables_nest_and_a_circle_costs_only_itself() {
    let routes = "- { matchers: [{ prefix: /a }], delegateAction: { ref: { name: outer } } }";
    let outer = r"
routes:
- { matchers: [{ prefix: /a/b }], delegateAction: { ref: { name: inner } } }
- { matchers: [{ prefix: /a/c }], delegateAction: { ref: { name: outer } } }
";
    let inner =
        "routes: [{ matchers: [{ prefix: /a/b/c }], directResponseAction: { status: 200, body: inner } }]";
    let site = Site::start(&[
        service("parent", routes),
        object("RouteTable", "outer", outer),
        object("RouteTable", "inner", inner),
    ])
    .await;
    assert_eq!(site.get("/a/b/c").await.text(), "inner");
    let status =
        status::until(&site.biplane, "a report", |status| !status::list(status, "reports").is_empty()).await;
    let told = status["reports"].to_string();
    assert!(told.contains("outer"), "{told}");
}
