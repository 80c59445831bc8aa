//! Credentials from where AWS's own tools have them, in a process of its own: they are found by variables.

use std::fs;
use std::process::Command;

use biplane_core::resources::upstream::discovery::{AwsEc2Upstream, TagFilter, TagPair};
use biplane_ec2::{Ec2Options, Ec2Source};
use biplane_source::{EndpointRequest, EndpointSource as _, Listing, Query};
use biplane_testkit::TempDir;
use biplane_testkit::moto::REGION;

use crate::harness::{Harness, TAG, next};
use crate::proxy::Fate;

/// Names the file for the answer; the tag of the machines that are looked for.
const ANSWER: &str = "BIPLANE_TEST_ANSWER";
const SERVICE: &str = "BIPLANE_TEST_SERVICE";

/// Not a rule: the process that looks. It logs everything there is.
#[tokio::test]
async fn the_process_that_looks() {
    let Some(file) = std::env::var_os(ANSWER) else { return };
    tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).init();
    let variables = |name: &str| std::env::var(name).ok();
    let source = Ec2Source::new(Ec2Options::from_url("ec2:?refresh=1s", &variables).expect("good"));
    let tag = TagPair { key: TAG.to_owned(), value: variables(SERVICE).expect("a tag") };
    let upstream = AwsEc2Upstream {
        filters: vec![TagFilter { key: None, kv_pair: Some(tag) }],
        ..AwsEc2Upstream::default()
    };
    let request = EndpointRequest { query: Query::AwsEc2(upstream), credentials: None };
    let answer = match next(&mut source.watch(&request)).await {
        Listing::Complete(endpoints) => format!("{} of {}", endpoints.len(), source.counters()["expired"]),
        Listing::Failed(error) => error.to_string(),
    };
    fs::write(file, answer).expect("the temporary directory is writable");
}

/// Credentials of a process, which are others each time: those that are found too old are replaced once.
#[tokio::test]
async fn credentials_are_those_of_the_environment_replaced_when_they_are_old_and_never_logged() {
    let harness = Harness::new().await;
    harness.cloud.run(&[(TAG, &harness.tag("web"))]).await.expect("it runs");
    harness.proxy.rule(&["Action=DescribeInstances&"], Fate::Refused(400, "ExpiredToken"), Some(1));
    let directory = TempDir::new("ec2-chain");
    let (config, answer) = (directory.join("config"), directory.join("answer"));
    let keys = r#"{"Version":1,"AccessKeyId":"AKID%s","SecretAccessKey":"canary-secret","SessionToken":"canary-token"}"#;
    let process =
        format!("[default]\ncredential_process = sh -c \"printf '{}' $$\"\n", keys.replace('"', "\\\""));
    fs::write(&config, process).expect("written");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "chain::the_process_that_looks", "--nocapture"]).env("HOME", directory.path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .env(ANSWER, &answer)
        .env(SERVICE, harness.tag("web"))
        .env("AWS_CONFIG_FILE", &config)
        .env("AWS_REGION", REGION)
        .env("AWS_ENDPOINT_URL", harness.proxy.url())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("it runs").expect("it starts");
    let log =
        [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned()).concat();
    let told = fs::read_to_string(&answer).unwrap_or_else(|_| panic!("no answer:\n{log}"));
    assert_eq!(told, "1 of 1", "one endpoint, one time too old");
    assert!(harness.proxy.keys().len() >= 2, "{:?}", harness.proxy.keys());
    assert!(!log.contains("canary"), "{log}");
}
