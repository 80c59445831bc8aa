//! What upstreams can ask for.

use biplane_core::resources::upstream::discovery::{TagFilter, TagPair};
use biplane_source::{EndpointSource as _, Health};
use biplane_testkit::moto::REGION;

use crate::cloud::{fresh_tag, parameters};
use crate::harness::{Harness, TAG, complete, ids};

fn pair(key: &str, value: &str) -> TagFilter {
    TagFilter { key: None, kv_pair: Some(TagPair { key: key.to_owned(), value: value.to_owned() }) }
}

#[tokio::test]
async fn a_machine_comes_with_port_weight_subset_zone_and_health() {
    let harness = Harness::new().await;
    let tags = [(TAG, &*harness.tag("web")), ("port", "8081"), ("share", "7"), ("stage", "canary")];
    let machine = harness.cloud.run(&tags).await.expect("it runs");
    let upstream = harness.upstream("web", |upstream| {
        upstream.port_tag = Some("port".to_owned());
        upstream.weight_tag = Some("share".to_owned());
        upstream.subset_tags = vec!["stage".to_owned()];
    });
    let told = complete(&mut harness.watch(&upstream)).await;
    let [endpoint] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(endpoint.place().to_string(), format!("{}:8081", machine.address));
    assert_eq!((endpoint.id.as_str(), endpoint.weight.get()), (machine.id.as_str(), 7));
    assert_eq!(endpoint.metadata["stage"], "canary");
    assert_eq!(endpoint.health, Health::Healthy);
    assert!(endpoint.locality.zone.starts_with(REGION) && endpoint.locality.region == REGION, "{endpoint:?}");
}

#[tokio::test]
async fn tags_are_compared_as_they_are_written_though_others_of_the_poll_want_more() {
    let harness = Harness::new().await;
    let value = harness.tag("web");
    let upper = harness.cloud.run(&[("App", &value)]).await.expect("it runs");
    let lower = harness.cloud.run(&[("app", &value)]).await.expect("it runs");
    let star = harness.cloud.run(&[("App", &value), ("Path", "*")]).await.expect("it runs");
    let watch = |filters: Vec<TagFilter>| harness.watch(&harness.upstream("", |it| it.filters = filters));
    let one = complete(&mut watch(vec![pair("App", &value)])).await;
    assert_eq!(ids(&one), [upper.id, star.id.clone()].into());
    assert_eq!(ids(&complete(&mut watch(vec![pair("app", &value)])).await), [lower.id].into());
    let literal = complete(&mut watch(vec![pair("App", &value), pair("Path", "*")])).await;
    assert_eq!(ids(&literal), [star.id].into());
    assert_eq!(ids(&complete(&mut watch(vec![pair("App", &value.to_uppercase())])).await), [].into());
}

#[tokio::test]
async fn what_all_upstreams_share_is_left_to_ec2_to_filter() {
    let harness = Harness::new().await;
    let (web, api) = (harness.upstream("web", |_| {}), harness.upstream("api", |_| {}));
    let (mut one, mut other) = (harness.watch(&web), harness.watch(&api));
    complete(&mut one).await;
    complete(&mut other).await;
    let forms = harness.proxy.bodies();
    let form = forms.iter().find(|form| form.contains("Action=DescribeInstances&")).expect("a poll");
    let expected = format!(
        "Filter.1.Name=tag%3A{TAG}&Filter.1.Value.1={}&Filter.1.Value.2={}",
        harness.tag("api"),
        harness.tag("web")
    );
    assert!(form.contains(&expected), "{form}");
}

#[tokio::test]
async fn filters_of_ec2_s_own_are_applied_by_ec2() {
    let harness = Harness::new().await;
    let tags = [(TAG, &*harness.tag("web"))];
    let machine = harness.cloud.run(&tags).await.expect("it runs");
    harness.cloud.run(&tags).await.expect("it runs");
    let upstream = harness.upstream("web", |upstream| {
        upstream.api_filters = [("instance-id".to_owned(), vec![machine.id.clone()])].into();
    });
    assert_eq!(ids(&complete(&mut harness.watch(&upstream)).await), [machine.id].into());
}

#[tokio::test]
async fn an_upstream_that_comes_later_is_answered_at_once() {
    let harness = Harness::with("refresh=10m").await;
    let web = harness.cloud.run(&[(TAG, &harness.tag("web"))]).await.expect("it runs");
    let api = harness.cloud.run(&[(TAG, &harness.tag("api"))]).await.expect("it runs");
    let mut early = harness.watch(&harness.upstream("web", |_| {}));
    assert_eq!(ids(&complete(&mut early).await), [web.id.clone()].into());
    let mut late = harness.watch(&harness.upstream("api", |_| {}));
    assert_eq!(ids(&complete(&mut late).await), [api.id].into());
    let polls = harness.proxy.calls("DescribeInstances");
    let mut same = harness.watch(&harness.upstream("web", |upstream| upstream.port = Some(81)));
    assert_eq!(ids(&complete(&mut same).await), [web.id].into());
    assert_eq!(harness.proxy.calls("DescribeInstances"), polls, "what is known already is not asked for");
}

#[tokio::test]
async fn a_refresh_polls_at_once() {
    let harness = Harness::with("refresh=10m").await;
    let mut watch = harness.watch(&harness.upstream("web", |_| {}));
    assert_eq!(complete(&mut watch).await, []);
    let machine = harness.cloud.run(&[(TAG, &harness.tag("web"))]).await.expect("it runs");
    harness.source.refresh();
    assert_eq!(ids(&complete(&mut watch).await), [machine.id].into());
}

#[tokio::test]
async fn of_an_auto_scaling_group_those_in_service_count() {
    let harness = Harness::new().await;
    let (group, value) = (fresh_tag(), harness.tag("web"));
    let launch = [
        ("Action", "CreateLaunchConfiguration"),
        ("LaunchConfigurationName", &group),
        ("ImageId", "ami-12c6146b"),
        ("InstanceType", "t3.micro"),
    ];
    harness.cloud.auto_scaling(&launch).await.expect("made");
    let create = [
        ("Action", "CreateAutoScalingGroup"),
        ("AutoScalingGroupName", &*group),
        ("LaunchConfigurationName", &*group),
        ("MinSize", "0"),
        ("MaxSize", "4"),
        ("DesiredCapacity", "2"),
        ("AvailabilityZones.member.1", "us-east-1a"),
        ("Tags.member.1.Key", TAG),
        ("Tags.member.1.Value", &*value),
        ("Tags.member.1.PropagateAtLaunch", "true"),
    ];
    harness.cloud.auto_scaling(&create).await.expect("made");
    // One that has the tag and is in no group.
    harness.cloud.run(&[(TAG, &value)]).await.expect("it runs");
    let upstream = harness.upstream("web", |upstream| upstream.auto_scaling_groups = vec![group.clone()]);
    let mut watch = harness.watch(&upstream);
    let members = ids(&complete(&mut watch).await);
    assert_eq!(members.len(), 2);
    let first = members.first().expect("two");
    let standby = [
        ("Action", "EnterStandby"),
        ("AutoScalingGroupName", &*group),
        ("InstanceIds.member.1", first),
        ("ShouldDecrementDesiredCapacity", "true"),
    ];
    harness.cloud.auto_scaling(&standby).await.expect("it stands by");
    let left = ids(&complete(&mut watch).await);
    assert!(left.len() == 1 && !left.contains(first), "{left:?}");
}

#[tokio::test]
async fn public_addresses_and_ipv6_are_taken_where_they_are_wanted() {
    let harness = Harness::new().await;
    let machine = harness.cloud.run(&[(TAG, &harness.tag("web"))]).await.expect("it runs");
    let described = parameters(&[("Action", "DescribeInstances"), ("InstanceId.1", &machine.id)]);
    let described = harness.cloud.ec2(&described).await.expect("it is there");
    let public = biplane_testkit::moto::element(&described, "ipAddress").expect("a public address");
    let told = complete(&mut harness.watch(&harness.upstream("web", |it| it.public_ip = Some(true)))).await;
    assert_eq!(told.iter().map(|at| at.address.to_string()).collect::<Vec<_>>(), [public]);
    let told = complete(&mut harness.watch(&harness.upstream("web", |it| it.ipv6 = Some(true)))).await;
    assert_eq!(told, [], "moto gives it no IPv6 address");
}
