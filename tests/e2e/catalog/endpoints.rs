//! Upstreams of services: health, weights, subsets, and edits that touch no endpoint.

use std::time::Duration;

use biplane_testkit::{Request, Upstream};
use tokio::time::{Instant, sleep};

use super::world::{Instance, World, register, unique};
use crate::harness::HOST;
use crate::harness::resources::{indent, object, service};

/// An upstream of Consul, and a route to it.
fn upstream(name: &str, service_name: &str, more: &str, fields: &str) -> Vec<String> {
    let consul = format!("consul: {{ serviceName: {service_name}{more} }}\n{fields}");
    let route = format!("- {{ routeAction: {{ single: {{ upstream: {{ name: {name} }} }} }} }}");
    vec![object("Upstream", name, &consul), service("all", &route)]
}

#[tokio::test]
async fn a_check_that_turns_critical_takes_its_endpoint_out_within_a_second_and_one_that_passes_brings_it_back()
 {
    let world = World::start(|service| upstream("web", service, "", "")).await;
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let (first, second) = (Instance::of("1", &one), Instance::of("2", &two));
    world.put(&first).await;
    world.put(&second).await;
    for name in ["one", "two"] {
        world.site.until_upstream(name).await;
    }
    let mut times = Vec::new();
    for _ in 0..5 {
        world.put(&second.status("critical")).await;
        times.push(until_members(&world, 1).await);
        world.put(&second).await;
        until_members(&world, 2).await;
    }
    times.sort();
    println!("critical until out of Envoy: {:?} {:?} {:?}", times[0], times[2], times[4]);
    assert!(times[4] < Duration::from_secs(1), "{times:?}");
    world.put(&first.status("critical")).await;
    world.put(&second.status("critical")).await;
    world.site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
}

/// Waits until Envoy would send requests to so many endpoints; gives how long that took.
async fn until_members(world: &World, wanted: u64) -> Duration {
    let began = Instant::now();
    world.site.until_stat("cluster.web_gloo-system.membership_healthy", |members| members == wanted).await;
    began.elapsed()
}

#[tokio::test]
async fn an_instance_that_is_deregistered_is_gone_and_its_service_answers_503_when_it_was_the_last() {
    let world = World::start(|service| upstream("web", service, "", "")).await;
    let one = Upstream::start("one");
    world.put(&Instance::of("1", &one)).await;
    world.site.until_upstream("one").await;
    world.remove("1").await;
    world.site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
    world.put(&Instance::of("2", &one)).await;
    world.site.until_upstream("one").await;
}

#[tokio::test]
async fn routes_choose_instances_by_their_tags_with_gloos_subsets() {
    let world = World::start(|name| {
        let consul = format!("consul: {{ serviceName: {name}, serviceTags: [blue, green] }}");
        let to = |path: &str, tag: &str| {
            let single = format!("upstream: {{ name: web }}, subset: {{ values: {{ tag_{tag}: \"1\" }} }}");
            format!("- {{ matchers: [{{ prefix: /{path} }}], routeAction: {{ single: {{ {single} }} }} }}\n")
        };
        let routes = to("blue", "blue") + &to("green", "green");
        vec![object("Upstream", "web", &consul), service("all", &routes)]
    })
    .await;
    let (blue, green) = (Upstream::start("blue"), Upstream::start("green"));
    world.put(&Instance::of("1", &blue).tags(&["blue"])).await;
    world.put(&Instance::of("2", &green).tags(&["green"])).await;
    for name in ["blue", "green"] {
        let request = Request::get(HOST, &format!("/{name}"));
        world.site.until(&request, |answer| answer.upstream() == Some(name)).await;
        for _ in 0..10 {
            assert_eq!(world.site.ask(&request).await.upstream(), Some(name));
        }
    }
}

#[tokio::test]
async fn a_route_leads_to_a_service_by_its_name_alone() {
    let world = World::start(|name| {
        let consul = format!("consul: {{ serviceName: {name}, tags: [live] }}");
        vec![service("all", &format!("- {{ routeAction: {{ single: {{ {consul} }} }} }}"))]
    })
    .await;
    let (live, spare) = (Upstream::start("live"), Upstream::start("spare"));
    world.put(&Instance::of("1", &spare)).await;
    world.put(&Instance::of("2", &live).tags(&["live"])).await;
    world.site.until_upstream("live").await;
    assert_eq!(spare.requests(), 0);
}

#[tokio::test]
async fn a_route_that_moves_to_a_service_that_nothing_named_yet_fails_no_request() {
    let world = World::start(|service| upstream("web", service, "", "")).await;
    let one = Upstream::start("one");
    world.put(&Instance::of("1", &one)).await;
    world.site.until_upstream("one").await;
    let others = ["two", "three", "four"].map(|name| (name, Upstream::start(name), unique("moved")));
    let load = world.load(HOST);
    for (name, server, service) in &others {
        register(world.consul(), service, &Instance::of("1", server)).await;
        world.site.replace(&upstream(service, service, "", ""));
        world.site.until_upstream(name).await;
    }
    load.stop().assert_clean();
}

#[tokio::test]
async fn an_edit_of_an_upstream_fails_no_request() {
    let world = World::start(|service| upstream("web", service, "", "")).await;
    let one = Upstream::start("one");
    world.put(&Instance::of("1", &one)).await;
    world.site.until_upstream("one").await;
    let load = world.load(HOST);
    for timeout in 1..=5 {
        let fields = format!("connectionConfig:\n{}", indent(&format!("connectTimeout: {timeout}s")));
        world.site.replace(&upstream("web", &world.service, "", &fields));
        world.site.in_sync().await;
        // Traffic has to meet the cluster that is new.
        let sent = load.sent();
        while load.sent() < sent + 200 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let report = load.stop();
    println!("five edits: {report}");
    report.assert_clean();
}
