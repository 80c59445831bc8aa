//! Roles and credentials: each costs only its own upstreams.

use anyhow::ensure;
use biplane_source::{Cause, EndpointRequest, EndpointSource as _, Listing};
use biplane_testkit::eventually;
use biplane_testkit::moto::ACCOUNT;

use crate::harness::{Harness, PATIENCE, TAG, complete, credentials, ids, next, request};
use crate::proxy::Fate;

fn arn(role: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{role}")
}

#[tokio::test]
async fn a_role_is_assumed_once_with_its_external_id_and_asks_with_its_own_credentials() {
    let harness = Harness::new().await;
    let machine = harness.cloud.run(&[(TAG, &harness.tag("web"))]).await.expect("it runs");
    let upstream = harness.upstream("web", |upstream| {
        upstream.role_arn = Some(arn("reader"));
        upstream.external_id = Some("external-7".to_owned());
    });
    let mut watch = harness.watch(&upstream);
    assert_eq!(ids(&complete(&mut watch).await), [machine.id].into());
    eventually("more polls", PATIENCE, async || {
        ensure!(harness.proxy.calls("DescribeInstances") >= 3);
        Ok(())
    })
    .await;
    assert_eq!(harness.proxy.calls("AssumeRole"), 1);
    assert!(harness.proxy.bodies().iter().any(|form| form.contains("ExternalId=external-7")));
}

#[tokio::test]
async fn a_session_that_has_ended_is_replaced_and_the_call_made_again() {
    let harness = Harness::new().await;
    let upstream = harness.upstream("web", |upstream| upstream.role_arn = Some(arn("reader")));
    let mut watch = harness.watch(&upstream);
    assert_eq!(complete(&mut watch).await, []);
    harness.proxy.rule(&["Action=DescribeInstances&"], Fate::Refused(400, "RequestExpired"), Some(1));
    let machine = harness.cloud.run(&[(TAG, &harness.tag("web"))]).await.expect("it runs");
    // Nothing is told of it: the machine comes, and no failure.
    assert_eq!(ids(&complete(&mut watch).await), [machine.id].into());
    let counters = harness.source.counters();
    assert_eq!((counters["sessions"], counters["expired"]), (2, 1));
}

#[tokio::test]
async fn a_role_that_is_refused_costs_only_its_upstreams() {
    let harness = Harness::new().await;
    harness.proxy.rule(&["Action=AssumeRole", "role%2Fbad"], Fate::Refused(403, "AccessDenied"), None);
    let tags = [(TAG, &*harness.tag("web"))];
    let machine = harness.cloud.run(&tags).await.expect("it runs");
    let with_role = |role: &str| harness.upstream("web", |upstream| upstream.role_arn = Some(arn(role)));
    let (mut bad, mut good) = (harness.watch(&with_role("bad")), harness.watch(&with_role("good")));
    let told = next(&mut bad).await;
    let Listing::Failed(error) = told else { panic!("{told:?}") };
    assert!(error.message.contains(&arn("bad")) && error.cause == Cause::Denied, "{error:?}");
    assert!(error.hint.is_some_and(|hint| hint.contains("trust policy")));
    assert_eq!(ids(&complete(&mut good).await), [machine.id.clone()].into());
    let another = harness.cloud.run(&tags).await.expect("it runs");
    assert_eq!(ids(&complete(&mut good).await), [machine.id, another.id].into());
}

#[tokio::test]
async fn upstreams_with_credentials_of_their_own_ask_with_them() {
    let harness = Harness::new().await;
    let upstream = harness.upstream("web", |_| {});
    let with = |id: &str| {
        let own = Some(credentials(id, "hunter2"));
        harness.source.watch(&EndpointRequest { credentials: own, ..request(&upstream) })
    };
    let (mut one, mut other) = (with("AKIDONE"), with("AKIDOTHER"));
    complete(&mut one).await;
    complete(&mut other).await;
    let state = harness.source.state().borrow().clone();
    let labels: Vec<_> = state.details.keys().cloned().collect();
    assert_eq!(labels, ["us-east-1 with AKIDONE", "us-east-1 with AKIDOTHER"]);
    assert!(harness.proxy.keys().is_superset(&["AKIDONE".to_owned(), "AKIDOTHER".to_owned()].into()));
}
