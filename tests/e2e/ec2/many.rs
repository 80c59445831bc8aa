//! Machines on several pages while EC2 throttles, refuses and forgets: nothing changes for clients, and AWS is not asked
//! more often.
//!
//! moto has calls on its pages, not machines, and takes a second for a hundred. How 2,500 are listed is a test of the
//! adapter's.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::moto::{Launch, Machine};
use biplane_testkit::upstream::Options;
use biplane_testkit::{FaultProxy, Moto, Upstream, free_port, throughout};
use tokio::time::Instant;

use super::world::{TAG, members, own, serve, until_members, until_source, upstream};
use crate::harness::resources::{route_to, service};
use crate::harness::{Bootstrap, Site, Tree};

const APPS: usize = 25;
/// Machines of each.
const EACH: usize = 10;
/// What the source calls all of them, and one more.
const ALL: &str = "251 instances";

/// How often Biplane polls.
const REFRESH: Duration = Duration::from_secs(3);

/// Three pages of machines and one of their checks; twice as many, because a failed poll is made again sooner.
const PER_POLL: u64 = 8;

const EMPTY: &str =
    "<DescribeInstancesResponse><requestId>1</requestId><reservationSet/></DescribeInstancesResponse>";

fn app(at: usize) -> String {
    format!("app-{at}")
}

/// Machines of all applications, and one that answers.
async fn fill(moto: &Moto) -> Machine {
    for at in 0..APPS * EACH {
        moto.run(&Launch::tagged(&[(TAG, &app(at % APPS))])).await.expect("moto runs it");
    }
    moto.run(&Launch::tagged(&[(TAG, "web")]).at(Ipv4Addr::LOCALHOST)).await.expect("moto runs it")
}

/// A site with an upstream of each application, and one of the machine that answers.
async fn site(link: &FaultProxy, port: u16) -> Site {
    let names: Vec<_> = std::iter::once("web".to_owned()).chain((0..APPS).map(app)).collect();
    let mut objects: Vec<_> = names.iter().map(|name| upstream(name, name, port, "")).collect();
    let routes: Vec<_> = names.iter().rev().map(|name| route_to(&path(name), name)).collect();
    objects.push(service("all", &routes.join("\n")));
    let tree = Tree::with(&objects);
    let parameters = format!("refresh={}s&page=100&timeout=30s", REFRESH.as_secs());
    let biplane = serve(&tree, link, &parameters).await;
    tree.site_on(biplane, Bootstrap::default()).await
}

fn path(name: &str) -> String {
    if name == "web" { "/".to_owned() } else { format!("/{name}/") }
}

/// Lets a fault happen until it is told, and looks that the endpoints are the same.
async fn nothing_changes(
    site: &Site,
    link: &FaultProxy,
    known: &BTreeMap<String, Vec<String>>,
    fault: (Matcher, Answer),
    state: &str,
    says: &str,
) {
    link.answer(fault.0, fault.1, ALWAYS);
    until_source(site, state, &[says]).await;
    throughout("the same endpoints", REFRESH, async || {
        let now = members(site).await?;
        ensure!(now == *known, "{now:?}");
        Ok(())
    })
    .await;
    link.heal();
    until_source(site, "complete", &[ALL]).await;
}

fn refused(status: u16, code: &str) -> Answer {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
    );
    Answer::status(status).body(&body)
}

#[tokio::test]
async fn long_machines_stay_when_ec2_throttles_refuses_or_lists_nothing_and_leave_when_they_end() {
    let (server, port) = (own().await, free_port());
    let address = Some((Ipv4Addr::LOCALHOST, port).into());
    let _web = Upstream::start_with("web", Options { address, ..Options::default() });
    let machine = fill(&server.moto).await;
    let link = FaultProxy::http(server.moto.address());
    let site = site(&link, port).await;
    for at in 0..APPS {
        until_members(&site, &app(at), EACH).await;
    }
    site.until_upstream("web").await;
    let (known, counts, load) = (members(&site).await.expect("clusters"), site.counts().await, site.load());
    let (began, before) = (Instant::now(), link.requests());

    let listing = || Matcher::path("/").body("Action=DescribeInstances&");
    let page_two = (listing().body("NextToken="), refused(503, "RequestLimitExceeded"));
    nothing_changes(&site, &link, &known, page_two, "failed", "RequestLimitExceeded").await;
    let expired = (Matcher::path("/"), refused(403, "ExpiredToken"));
    nothing_changes(&site, &link, &known, expired, "denied", "ExpiredToken").await;
    // In the middle of a listing it would be a page of that one.
    let first_page = listing().body_without("NextToken=");
    link.answer(first_page, Answer::status(200).body(EMPTY), 1);
    until_source(&site, "complete", &["suspect: no instance is listed where there were 251"]).await;
    until_source(&site, "complete", &[ALL]).await;
    assert_eq!(members(&site).await.expect("clusters"), known);

    let (time, calls) = (began.elapsed(), link.requests() - before);
    println!("{calls} calls in {time:?}");
    let polls = time.as_secs() / REFRESH.as_secs() + 2;
    assert!(calls <= polls * PER_POLL, "{calls} calls in {time:?}");

    load.stop().assert_clean();
    server.moto.act("TerminateInstances", &machine.id).await.expect("it ends");
    until_members(&site, "web", 0).await;
    assert_eq!(site.counts().await, counts, "endpoints go by EDS");
}
