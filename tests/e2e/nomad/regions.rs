//! Two regions that know each other. Biplane asks the one beside it for both; one that is away costs the other nothing.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::nomad::Job;
use biplane_testkit::{Nomad, Request, Response, eventually, throughout};

use super::world::{HOST, PATIENCE, careful, registered, serve, until_answer, until_source};
use crate::harness::resources::{object, route_to, service};
use crate::harness::{Bootstrap, Site, Tree, status};

/// The name of the other region.
const EAST: &str = "east";

/// Longer than Nomad needs to take another server for failed.
const AWAY: Duration = Duration::from_secs(10);

/// An upstream of a service in either region: `near` at `/`, `far` at `/far/`.
fn objects() -> Vec<String> {
    let upstream =
        |name: &str, more: &str| object("Upstream", name, &format!("nomad: {{ serviceName: {name}{more} }}"));
    vec![
        upstream("near", ""),
        upstream("far", &format!(", region: {EAST}")),
        service("all", &[route_to("/far/", "far"), route_to("/", "near")].join("\n")),
    ]
}

async fn until_members(site: &Site, upstream: &str, count: u64) {
    eventually(&format!("{count} members of {upstream}"), PATIENCE, async || {
        let members = site.envoy.stat(&format!("cluster.{upstream}_gloo-system.membership_healthy")).await?;
        let known = site.biplane.get("/v1/endpoints").await?;
        ensure!(members == count, "{members} of {}", known.text());
        Ok(())
    })
    .await;
}

/// Runs so many instances of a job, and waits until Envoy has them.
async fn scale(nomad: &Nomad, site: &Site, job: &Job, count: usize) {
    let job = Job { count, ..job.clone() };
    nomad.run(&job).await.expect("Nomad takes it");
    registered(nomad, &job, count).await;
    until_members(site, &job.id, count as u64).await;
}

#[tokio::test]
async fn long_services_of_another_region_are_found_there_and_stay_while_it_is_away() {
    let tree = Tree::with(&objects());
    let home = Nomad::start(&tree.directory).await;
    let mut east = Nomad::builder().named(EAST).region(EAST).start(&tree.directory).await;
    home.join(&east).await;
    let url = format!("nomad://{}?checkInterval=1s&retryMax=1s", home.address());
    let biplane = serve(&tree, &url, None).await;
    let site = tree.site_on(biplane, Bootstrap::default()).await;
    let job = |id: &str| Job { update: careful(0), ..Job::new(id) };
    let (near, far) = (job("near"), job("far"));
    scale(&home, &site, &near, 1).await;
    scale(&east, &site, &far, 1).await;
    let instances = registered(&east, &far, 1).await;
    let allocation = instances.values().next().expect("one");
    let answer = site.get("/far/").await;
    assert!(answer.text().starts_with(allocation.as_str()), "{}", answer.text());

    // Its tasks run on, as they do when servers are lost.
    east.kill();
    let report = status::until_report(&site.biplane, "Upstream gloo-system/far", "stays in use").await;
    assert!(report.to_string().contains(EAST), "{report:#}");
    until_source(&site.biplane, "failed").await;
    scale(&home, &site, &near, 2).await;
    throughout("answers from the region that is away", AWAY, async || {
        let answer = site.get("/far/").await;
        ensure!(answer.text().starts_with(allocation.as_str()), "{} {}", answer.status, answer.text());
        Ok(())
    })
    .await;
    let all = status::fetch(&site.biplane).await.expect("a status");
    assert!(status::reports(&all, "Upstream gloo-system/near").is_empty(), "{all:#}");

    east.start_again().await;
    home.join(&east).await;
    until_source(&site.biplane, "complete").await;
    east.run(&Job { count: 2, ..far }).await.expect("Nomad takes it");
    // An agent that was killed may replace the task that it finds, so only another one counts.
    let is_new = |answer: &Response| answer.status == 200 && !answer.text().starts_with(allocation.as_str());
    until_answer(&site, &Request::get(HOST, "/far/"), "an answer of a new instance", is_new).await;
}
