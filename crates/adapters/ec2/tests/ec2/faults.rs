//! What goes wrong on the way to EC2 changes no endpoint, and is said.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use biplane_core::resources::upstream::discovery::AwsEc2Upstream;
use biplane_source::{EndpointSource as _, Listing, Phase};
use biplane_testkit::{Request, eventually};

use crate::cloud::{Cloud, Machine};
use crate::harness::{Harness, PATIENCE, TAG, complete, credentials, failed, ids, next, request, source};
use crate::proxy::{Fate, Proxy};

/// An answer of EC2 without any instance.
const EMPTY: &str =
    "<DescribeInstancesResponse><requestId>1</requestId><reservationSet/></DescribeInstancesResponse>";

/// Machines of a service, each on a page of its own size.
async fn machines(harness: &Harness, count: usize) -> Vec<Machine> {
    let mut machines = Vec::new();
    for _ in 0..count {
        machines.push(harness.cloud.run(&[(TAG, &harness.tag("web"))]).await.expect("it runs"));
    }
    machines
}

fn ids_of(machines: &[Machine]) -> BTreeSet<String> {
    machines.iter().map(|machine| machine.id.clone()).collect()
}

/// Waits until the state says this much of the region.
async fn until_detail(harness: &Harness, part: &str) {
    let state = harness.source.state();
    eventually(part, PATIENCE, async || {
        let state = state.borrow();
        ensure!(state.details.values().any(|detail| detail.contains(part)), "{state:?}");
        Ok(())
    })
    .await;
}

/// Lets a fault happen, and looks that it is told and that the endpoints are the same before and after.
async fn nothing_changes(harness: &Harness, with: &[&'static str], fate: Fate, says: &str) {
    let machines = machines(harness, 6).await;
    let mut watch = harness.watch(&harness.upstream("web", |_| {}));
    assert_eq!(ids(&complete(&mut watch).await), ids_of(&machines));
    harness.proxy.rule(with, fate, None);
    let message = failed(&mut watch).await;
    assert!(message.contains(says), "{message}");
    assert_eq!(harness.source.state().borrow().phase, Phase::Failed);
    until_detail(harness, "as of 2").await;
    harness.proxy.heal();
    assert_eq!(ids(&complete(&mut watch).await), ids_of(&machines), "nothing in between");
    let mut state = harness.source.state();
    state.wait_for(|state| state.phase == Phase::Complete).await.expect("the source lives");
}

#[tokio::test]
async fn a_throttled_second_page_fails_the_listing_and_slows_the_caller() {
    let harness = Harness::with("refresh=1s&page=5").await;
    let page_two = ["Action=DescribeInstances&", "NextToken"];
    nothing_changes(&harness, &page_two, Fate::Refused(503, "RequestLimitExceeded"), "RequestLimitExceeded")
        .await;
    assert!(harness.source.counters()["throttled"] > 0);
}

#[tokio::test]
async fn a_stall_ends_at_the_deadline() {
    let harness = Harness::with("refresh=1s&timeout=1s").await;
    let stall = Fate::Late(Duration::from_secs(10));
    nothing_changes(&harness, &["DescribeInstances"], stall, "was not answered within 1s").await;
}

#[tokio::test]
async fn credentials_that_have_ended_are_told_as_that() {
    let harness = Harness::new().await;
    nothing_changes(&harness, &[], Fate::Refused(403, "ExpiredToken"), "ExpiredToken").await;
}

#[tokio::test]
async fn checks_that_cannot_be_read_fail_the_listing() {
    let harness = Harness::new().await;
    let refused = Fate::Refused(403, "UnauthorizedOperation");
    let says = "ec2:DescribeInstanceStatus is refused";
    nothing_changes(&harness, &["Action=DescribeInstanceStatus"], refused, says).await;
}

#[tokio::test]
async fn an_answer_that_is_none_of_ec2_is_no_absence() {
    let harness = Harness::new().await;
    let page = Fate::Answered("<html><body>Please log in</body></html>");
    nothing_changes(&harness, &["DescribeInstances"], page, "makes no sense").await;
}

#[tokio::test]
async fn pages_in_a_circle_are_no_listing() {
    let harness = Harness::new().await;
    let circle = "<DescribeInstancesResponse><reservationSet/><nextToken>again</nextToken></DescribeInstancesResponse>";
    nothing_changes(&harness, &["DescribeInstances"], Fate::Answered(circle), "the last page").await;
}

#[tokio::test]
async fn one_empty_answer_is_suspect_and_changes_nothing() {
    let harness = Harness::new().await;
    let machines = machines(&harness, 2).await;
    let mut watch = harness.watch(&harness.upstream("web", |_| {}));
    assert_eq!(ids(&complete(&mut watch).await), ids_of(&machines));
    harness.proxy.rule(&["Action=DescribeInstances&"], Fate::Answered(EMPTY), Some(1));
    until_detail(&harness, "suspect: no instance is listed where there were 2").await;
    until_detail(&harness, "2 instances in").await;
    // What is told next is the next change, and nothing before it.
    harness.cloud.act("TerminateInstances", &machines[0].id).await.expect("it stops");
    assert_eq!(ids(&complete(&mut watch).await), ids_of(&machines[1..]));
    assert_eq!(harness.source.counters()["suspicions"], 1);
}

#[tokio::test]
async fn an_empty_answer_that_is_confirmed_is_believed() {
    let harness = Harness::new().await;
    machines(&harness, 1).await;
    let mut watch = harness.watch(&harness.upstream("web", |_| {}));
    assert_eq!(complete(&mut watch).await.len(), 1);
    harness.proxy.rule(&["Action=DescribeInstances&"], Fate::Answered(EMPTY), None);
    assert_eq!(complete(&mut watch).await.len(), 0);
    assert!(harness.proxy.calls("DescribeInstances") >= 3);
}

#[tokio::test]
async fn machines_that_stop_leave_with_the_next_poll_and_come_back_when_they_run() {
    let harness = Harness::new().await;
    let machines = machines(&harness, 2).await;
    let mut watch = harness.watch(&harness.upstream("web", |_| {}));
    assert_eq!(ids(&complete(&mut watch).await), ids_of(&machines));
    harness.cloud.act("StopInstances", &machines[0].id).await.expect("it stops");
    assert_eq!(ids(&complete(&mut watch).await), ids_of(&machines[1..]));
    harness.cloud.act("StartInstances", &machines[0].id).await.expect("it starts");
    assert_eq!(ids(&complete(&mut watch).await), ids_of(&machines));
}

/// moto forgets everything: the machines are not listed any more, in no state.
#[tokio::test]
async fn machines_that_are_not_listed_any_more_leave_after_two_polls() {
    let cloud = Cloud::start().await;
    let proxy = Proxy::start(cloud.address()).await;
    let machine = cloud.run(&[(TAG, "web")]).await.expect("it runs");
    let source = source(&proxy, "refresh=2s");
    let upstream = AwsEc2Upstream::default();
    let mut watch = source.watch(&request(&upstream));
    assert_eq!(ids(&complete(&mut watch).await), ids_of(std::slice::from_ref(&machine)));
    let polls = proxy.calls("DescribeInstances");
    let reset = Request::post("localhost", "/moto-api/reset", "");
    assert_eq!(reset.send_to(cloud.address()).await.expect("moto answers").status, 200);
    assert_eq!(complete(&mut watch).await, []);
    assert!(proxy.calls("DescribeInstances") >= polls + 2, "one poll was enough");
}

#[tokio::test]
async fn a_region_that_is_none_and_a_missing_endpoint_are_told_with_hints() {
    let harness = Harness::new().await;
    let nowhere = harness.upstream("web", |upstream| upstream.region = Some("evil.example/".to_owned()));
    let Listing::Failed(error) = next(&mut harness.watch(&nowhere)).await else { panic!("it is no region") };
    assert!(error.message.contains("is no AWS region") && error.hint.is_some(), "{error:?}");
    assert!(harness.proxy.bodies().is_empty(), "somebody was asked");
}

#[tokio::test]
async fn no_secret_is_in_errors_states_and_forms() {
    let harness = Harness::new().await;
    let upstream = harness.upstream("web", |_| {});
    let mut asked = request(&upstream);
    asked.credentials = Some(credentials("AKIDCANARY", "canary-hunter2"));
    harness.proxy.rule(&[], Fate::Refused(403, "SignatureDoesNotMatch"), None);
    let Listing::Failed(error) = next(&mut harness.source.watch(&asked)).await else { panic!("refused") };
    let state = harness.source.state().borrow().clone();
    let said = format!("{error:?} {state:?} {:?} {asked:?} {:?}", harness.source, harness.proxy.bodies());
    assert!(said.contains("AKIDCANARY") && !said.contains("hunter2"), "{said}");
}
