//! Changes under traffic that must cost no request: make before break.

use biplane_testkit::{Request, Upstream};

use crate::harness::resources::{documents, gateway, service, service_to, upstream};
use crate::harness::{Site, Tree, status};

/// Gives the service another upstream under another name and deletes the old one, file by file.
fn swap(site: &Site, from: &str, to: (&str, &Upstream)) {
    site.files.write(format!("{}.yaml", to.0), &upstream(to.0, to.1));
    site.files.write("service.yaml", &service("main", &crate::harness::resources::route_to("/", to.0)));
    site.files.remove(format!("{from}.yaml"));
}

#[tokio::test]
async fn route_that_moves_while_its_old_upstream_goes_costs_no_request() {
    let servers = ["one", "two"].map(Upstream::start);
    let tree = Tree::with(&[]);
    tree.files.write("one.yaml", &upstream("one", &servers[0]));
    tree.files.write("service.yaml", &service("main", &crate::harness::resources::route_to("/", "one")));
    let site = tree.site().await;
    site.until_upstream("one").await;
    let load = site.load();
    for _ in 0..4 {
        swap(&site, "one", ("two", &servers[1]));
        site.until_upstream("two").await;
        swap(&site, "two", ("one", &servers[0]));
        site.until_upstream("one").await;
    }
    load.stop().assert_clean();
    // Half an edit, if it was ever seen, was held: nothing is left of it.
    status::until(&site.biplane, "nothing held", |status| status::list(status, "held").is_empty()).await;
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn deletion_before_the_edit_that_lets_go_costs_no_request() {
    let servers = ["one", "two"].map(Upstream::start);
    let tree = Tree::with(&[]);
    tree.files.write("one.yaml", &upstream("one", &servers[0]));
    tree.files.write("service.yaml", &service_to("one"));
    let site = tree.site().await;
    let load = site.load();
    site.files.remove("one.yaml");
    status::until(&site.biplane, "a deletion that waits", |status| !status::list(status, "held").is_empty())
        .await;
    let moved = documents(&[
        upstream("two", &servers[1]),
        service("one", &crate::harness::resources::route_to("/", "two")),
    ]);
    site.files.write("service.yaml", &moved);
    site.until_upstream("two").await;
    site.until_stat("cluster_manager.cluster_removed", |removed| removed == 1).await;
    load.stop().assert_clean();
}

#[tokio::test]
async fn symlink_that_swaps_whole_trees_costs_no_request() {
    let servers = ["one", "two"].map(Upstream::start);
    let tree = Tree::new();
    let generations = biplane_testkit::Files::new(tree.directory.join("generations"));
    for server in [("one", &servers[0]), ("two", &servers[1])] {
        let objects = [
            gateway(tree.port),
            upstream(server.0, server.1),
            service("main", &crate::harness::resources::route_to("/", server.0)),
        ];
        generations.write(format!("{}/all.yaml", server.0), &documents(&objects));
    }
    tree.files.link("current", generations.path("one"));
    let site = tree.site().await;
    site.until_upstream("one").await;
    let load = site.load();
    for _ in 0..4 {
        site.files.link("current", generations.path("two"));
        site.until_upstream("two").await;
        site.files.link("current", generations.path("one"));
        site.until_upstream("one").await;
    }
    load.stop().assert_clean();
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn new_upstream_with_its_route_is_never_a_503() {
    let one = Upstream::start("one");
    let site = Site::start(&[service(
        "main",
        "- { matchers: [{ prefix: /none }], directResponseAction: { status: 200 } }",
    )])
    .await;
    let request = Request::get(crate::harness::HOST, "/");
    assert_eq!(site.ask(&request).await.status, 404);
    site.replace(&[upstream("one", &one), service_to("one")]);
    // 404 while the route is not there, 200 from then on; the cluster is there before the route.
    let answer = site.until(&request, |answer| answer.status != 404).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
