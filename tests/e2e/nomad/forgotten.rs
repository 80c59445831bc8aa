//! A Nomad that has forgotten everything, and a Biplane that starts while there is none: clients are served what was
//! known, and somebody is told.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::nomad::Job;
use biplane_testkit::{Nomad, Request, eventually, throughout};

use super::world::{
    careful, command, healths, losses, registered, request, serve, tags, until, until_healthy, until_source,
};
use crate::harness::resources::{route_answering, service_at};
use crate::harness::{Bootstrap, PATIENCE, Site, Tree};

/// Longer than anything takes to be believed here.
const BELIEF: Duration = Duration::from_secs(15);

/// The host of a service that is written when all else is known.
const LATER: &str = "later.example.com";

/// A Nomad that is this test's own, and a site that takes a job's routes from it.
struct Alone {
    nomad: Nomad,
    site: Site,
    job: Job,
}

impl Alone {
    async fn start() -> Self {
        let tree = Tree::with(&[]);
        let nomad = Nomad::start(&tree.directory).await;
        let job = Job { tags: tags(&[]), update: careful(0), ..Job::new("web") };
        let url = format!("nomad://{}?confirm=2s&checkInterval=1s&retryMax=1s", nomad.address());
        let biplane = serve(&tree, &url, None).await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        nomad.run(&job).await.expect("Nomad takes it");
        registered(&nomad, &job, 1).await;
        until_healthy(&site, &job, 1).await;
        until(&site, "the first answer", |answer| answer.status == 200).await;
        Self { nomad, site, job }
    }
}

#[tokio::test]
async fn long_nomad_that_starts_empty_takes_no_route_and_no_endpoint_until_somebody_accepts() {
    let mut alone = Alone::start().await;
    let before = losses(&alone.site).await;
    let known = healths(&alone.site, &alone.job).await.expect("clusters");
    alone.nomad.kill();
    alone.nomad.wipe();
    alone.nomad.start_again().await;
    let source = until_source(&alone.site.biplane, "suspect").await;
    let hint = source["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("biplane source accept"), "{source:#}");
    // The job's tasks are gone with what Nomad knew, but its routes and endpoints are not: 503, never 404.
    throughout("a route", BELIEF, async || {
        let answer = request().send(alone.site.port).await?;
        ensure!(answer.status == 503, "{}", answer.status);
        let now = healths(&alone.site, &alone.job).await?;
        ensure!(now == known, "{now:?}");
        Ok(())
    })
    .await;
    until_source(&alone.site.biplane, "suspect").await;
    assert_eq!(losses(&alone.site).await, before);

    let accepted = command(&alone.site.biplane, &["source", "accept", "nomad", "--yes"]).await;
    assert_eq!(accepted.code, 0, "{accepted:?}");
    until(&alone.site, "the end of the route", |answer| answer.status == 404).await;
    until_source(&alone.site.biplane, "complete").await;
    alone.nomad.run(&alone.job).await.expect("Nomad takes it");
    until(&alone.site, "an answer", |answer| answer.status == 200).await;
}

#[tokio::test]
async fn nomad_that_starts_empty_and_runs_its_jobs_again_needs_nobody() {
    let mut alone = Alone::start().await;
    alone.nomad.kill();
    alone.nomad.wipe();
    alone.nomad.start_again().await;
    until_source(&alone.site.biplane, "suspect").await;
    alone.nomad.run(&alone.job).await.expect("Nomad takes it");
    until(&alone.site, "an answer", |answer| answer.status == 200).await;
    until_source(&alone.site.biplane, "complete").await;
}

#[tokio::test]
async fn long_biplane_that_starts_while_nomad_is_away_serves_what_it_knew_without_a_change() {
    let mut alone = Alone::start().await;
    // What is known is on disk a moment later.
    alone.until_saved().await;
    let (counts, lost) = (alone.site.counts().await, losses(&alone.site).await);
    let known = healths(&alone.site, &alone.job).await.expect("clusters");
    let load = alone.site_load();
    alone.nomad.kill();
    alone.site.biplane.kill();
    alone.site.biplane.start_again().await;
    alone.site.in_sync().await;
    until_source(&alone.site.biplane, "failed").await;
    let shown = command(&alone.site.biplane, &["get", "endpoints", "-o", "json"]).await;
    assert!(known.keys().all(|place| shown.stdout.contains(place)), "{shown:?}");
    assert_eq!(healths(&alone.site, &alone.job).await.expect("clusters"), known);
    // Longer than the first objects wait for a source.
    throughout("answers", Duration::from_secs(7), async || {
        let answer = request().send(alone.site.port).await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(())
    })
    .await;
    assert_eq!((alone.site.counts().await, losses(&alone.site).await), (counts, lost));
    load.stop().assert_clean();
    alone.nomad.start_again().await;
    until_source(&alone.site.biplane, "complete").await;
    until(&alone.site, "an answer", |answer| answer.status == 200).await;
}

impl Alone {
    /// Waits until what is served is on disk: an edition with a change in it that came later holds all of it.
    async fn until_saved(&self) {
        self.site.replace(&[service_at("later", LATER, &route_answering("/", "later"))]);
        self.site.until(&Request::get(LATER, "/"), |answer| answer.text() == "later").await;
        eventually("the change on disk", PATIENCE, async || {
            let editions = self.editions();
            ensure!(editions.iter().any(|edition| edition.contains(LATER)), "{} editions", editions.len());
            Ok(())
        })
        .await;
    }

    /// The text of each.
    fn editions(&self) -> Vec<String> {
        // The first edition makes the directory.
        let entries = fs::read_dir(self.site.biplane.state()).into_iter().flatten().flatten();
        let editions = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("snapshot-"));
        // An old one may be gone by now.
        editions.filter_map(|edition| fs::read_to_string(edition.path()).ok()).collect()
    }

    fn site_load(&self) -> biplane_testkit::Load {
        biplane_testkit::Load::start(self.site.port, vec![request()], biplane_testkit::load::Rate::default())
    }
}
