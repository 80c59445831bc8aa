//! A Consul that is away, refuses, or has forgotten everything.

use std::fs;

use anyhow::ensure;
use biplane_testkit::{Consul, Request, TempDir, Upstream, eventually, throughout};

use super::world::{Instance, PATIENCE, World, endpoints, register, serve, unique};
use crate::harness::resources::{object, route_answering, service, service_at};
use crate::harness::{Bootstrap, CALM, HOST, Tree, counts, envoy, status};

fn objects(name: &str) -> Vec<String> {
    let route = "- { routeAction: { single: { upstream: { name: web } } } }";
    vec![object("Upstream", "web", &format!("consul: {{ serviceName: {name} }}")), service("all", route)]
}

#[tokio::test]
async fn a_restart_while_consul_is_away_changes_nothing_and_a_new_envoy_gets_everything() {
    let mut world = World::start(objects).await;
    let one = Upstream::start("one");
    world.put(&Instance::of("1", &one)).await;
    world.site.until_upstream("one").await;
    // What is served has to be on disk before the process goes.
    world.site.biplane.stop().await;
    world.link.cut();
    let before = counts(&world.site.envoy).await;
    let load = world.load(HOST);
    world.site.biplane.start_again().await;
    world.site.in_sync().await;
    let state = endpoints(&world.site, "web").await.expect("shown");
    assert_eq!(state["endpoints"].as_array().map(Vec::len), Some(1), "{state}");
    let newcomer = Bootstrap { id: "newcomer".into(), ..Bootstrap::default() };
    let second = envoy(&world.site.biplane, &newcomer, &world.site.directory).await;
    eventually("the endpoint in a new Envoy", PATIENCE, async || {
        let members = second.stat("cluster.web_gloo-system.membership_total").await?;
        ensure!(members == 1, "{members} members");
        Ok(())
    })
    .await;
    load.stop().assert_clean();
    assert_eq!(counts(&world.site.envoy).await, before);
    world.link.heal();
    status::until_clean(&world.site.biplane).await;
}

#[tokio::test]
async fn a_replica_that_never_knew_endpoints_takes_none_from_an_envoy_that_has_them() {
    let mut world = World::start(objects).await;
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    world.put(&Instance::of("1", &one)).await;
    world.site.until_upstream("one").await;
    world.site.biplane.stop().await;
    // As a replica that is started elsewhere: nothing is on its disk, and Consul cannot be reached from there.
    fs::remove_dir_all(world.site.biplane.state()).expect("it was there");
    world.link.cut();
    let before = counts(&world.site.envoy).await;
    let requests = "cluster.web_gloo-system.upstream_rq_total";
    let sent = world.site.envoy.stat(requests).await.expect("a statistic");
    let load = world.load(HOST);
    let late = "late.example.com";
    world.site.files.write("late.yaml", &service_at("late", late, &route_answering("/", "late")));
    world.site.biplane.start_again().await;
    // First answers wait five seconds for Consul, and Envoy as long between two attempts to connect.
    eventually("the route of the new process", 2 * PATIENCE, async || {
        let answer = Request::get(late, "/").send(world.site.port).await?;
        ensure!(answer.text() == "late", "{} {}", answer.status, answer.text());
        Ok(())
    })
    .await;
    let state = endpoints(&world.site, "web").await.expect("shown");
    assert_eq!(state["endpoints"].as_array().map_or(0, Vec::len), 0, "{state}");
    throughout("calm while nobody knows", CALM, async || {
        let now = counts(&world.site.envoy).await;
        ensure!(now == before, "{now} instead of {before}");
        Ok(())
    })
    .await;
    world.link.heal();
    world.put(&Instance::of("2", &two)).await;
    world.remove("1").await;
    world.site.until_upstream("two").await;
    let answered = load.stop();
    answered.assert_clean();
    // A cluster that was removed and came back has begun to count anew. (Those of other tests' services come and go.)
    let now = world.site.envoy.stat(requests).await.expect("a statistic");
    assert!(now >= sent + answered.sent(), "{now} requests, {sent} before and {} since", answered.sent());
}

#[tokio::test]
async fn a_catalog_that_has_forgotten_everything_takes_nothing_away() {
    let directory = TempDir::new("forgetful");
    let mut consul = Consul::builder().start(&directory).await;
    let name = unique("web");
    let one = Upstream::start("one");
    let instance = Instance::of("1", &one);
    register(&consul, &name, &instance).await;
    let tree = Tree::with(&objects(&name));
    let biplane = serve(&tree, &format!("consul://{}", consul.address())).await;
    let site = tree.site_on(biplane, Bootstrap::default()).await;
    site.until_upstream("one").await;
    let load = site.load();
    consul.kill();
    consul.start_again().await;
    eventually("an answer that is not believed", PATIENCE, async || {
        let upstream = endpoints(&site, "web").await?;
        ensure!(upstream["lastError"].to_string().contains("anew"), "{upstream}");
        ensure!(upstream["endpoints"].as_array().is_some_and(|all| all.len() == 1), "{upstream}");
        Ok(())
    })
    .await;
    assert_eq!(site.ask(&Request::get(HOST, "/")).await.status, 200);
    register(&consul, &name, &instance).await;
    status::until_clean(&site.biplane).await;
    load.stop().assert_clean();
}
