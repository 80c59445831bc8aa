//! The policies in docs/policies/aws are enough, and no right in them is too many.

use std::path::Path;

use biplane_core::resources::upstream::discovery::AwsEc2Upstream;
use biplane_ec2::{Ec2Options, Ec2Source};
use biplane_source::{Endpoint, EndpointRequest, EndpointSource as _, Listing, Query, Watch};
use biplane_testkit::moto::REGION;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::harness::{complete, credentials, next};

fn policy() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/policies/aws/ec2-read.json");
    serde_json::from_slice(&std::fs::read(path).expect("it is there")).expect("it is JSON")
}

/// What a user of this policy sees with an upstream that uses everything.
async fn watch_as(cloud: &Cloud, name: &str, policy: &Value) -> Watch<Vec<Endpoint>> {
    let keys = cloud.moto().user(name, policy).await.expect("made");
    cloud.moto().check_access(true).await.expect("access is checked");
    let url = format!("ec2:?endpoint={}&region={REGION}&refresh=1s", cloud.moto().url());
    let source = Ec2Source::new(Ec2Options::from_url(&url, &|_| None).expect("a good URL"));
    let upstream =
        AwsEc2Upstream { auto_scaling_groups: vec!["none".to_owned()], ..AwsEc2Upstream::default() };
    let credentials = Some(credentials(&keys.access_key_id, &keys.secret_access_key));
    source.watch(&EndpointRequest { query: Query::AwsEc2(upstream), credentials })
}

#[tokio::test]
async fn the_policy_is_enough_and_each_right_in_it_is_needed() {
    let cloud = Cloud::start().await;
    cloud.run(&[("Name", "any")]).await.expect("it runs");
    let whole = policy();
    assert_eq!(complete(&mut watch_as(&cloud, "whole", &whole).await).await, []);
    let statements = whole["Statement"].as_array().expect("statements");
    for (at, statement) in statements.iter().enumerate() {
        cloud.moto().check_access(false).await.expect("users can be made");
        let mut others = statements.clone();
        others.remove(at);
        let less = json!({ "Version": "2012-10-17", "Statement": others });
        let told = next(&mut watch_as(&cloud, &format!("less-{at}"), &less).await).await;
        let action = statement["Action"][0].as_str().expect("an action");
        let Listing::Failed(error) = told else { panic!("{action} is not needed: {told:?}") };
        assert!(error.message.contains(&format!("{action} is refused")), "{error}");
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains(action) && hint.contains("docs/policies/aws"), "{hint}");
    }
}
