//! Where credentials are found. No log may have any of them, at any level.

use std::fs;

use biplane_testkit::{Moto, TempDir};
use serde_json::json;

use crate::asking::ask;
use crate::instance;

/// Spares a machine without metadata the wait for them.
const NO_INSTANCE: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

fn assert_unlogged(log: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn variables_give_credentials_region_and_endpoint() {
    let directory = TempDir::new("aws");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDVARIABLE"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t-variable"),
        ("AWS_SESSION_TOKEN", "t0k3n-variable"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:2"),
    ];
    let (answer, log) = ask(&directory, &variables);
    assert_eq!((&answer["id"], &answer["secret"]), (&json!("AKIDVARIABLE"), &json!("s3cr3t-variable")));
    assert_eq!((&answer["token"], &answer["expires"]), (&json!("t0k3n-variable"), &json!(false)));
    assert_eq!((&answer["region"], &answer["sts"]), (&json!("eu-west-1"), &json!("http://127.0.0.1:2")));
    assert_unlogged(&log, &["s3cr3t-variable", "t0k3n-variable"]);
}

#[tokio::test]
async fn a_profile_gives_what_its_files_say() {
    let directory = TempDir::new("aws");
    let (config, credentials) = (directory.join("config"), directory.join("credentials"));
    let profile = "[profile web]\nregion = ap-south-1\nendpoint_url = http://127.0.0.1:3\n";
    fs::write(&config, profile).expect("written");
    let keys = "[web]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s3cr3t-profile\n";
    fs::write(&credentials, keys).expect("written");
    let variables = [
        ("AWS_PROFILE", "web"),
        ("AWS_CONFIG_FILE", config.to_str().expect("a path")),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().expect("a path")),
        NO_INSTANCE,
    ];
    let (answer, log) = ask(&directory, &variables);
    assert_eq!((&answer["id"], &answer["secret"]), (&json!("AKIDPROFILE"), &json!("s3cr3t-profile")));
    assert_eq!((&answer["region"], &answer["sts"]), (&json!("ap-south-1"), &json!("http://127.0.0.1:3")));
    assert_unlogged(&log, &["s3cr3t-profile"]);
}

#[tokio::test]
async fn a_process_gives_credentials_and_what_it_says_when_it_fails_stays_with_it() {
    let directory = TempDir::new("aws");
    let config = directory.join("config");
    let variables = [("AWS_CONFIG_FILE", config.to_str().expect("a path")), NO_INSTANCE];
    let keys = json!({ "Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "s3cr3t-process" });
    let process = format!("[default]\ncredential_process = echo '{keys}' # --password t0k3n-process\n");
    fs::write(&config, process).expect("written");
    let (answer, log) = ask(&directory, &variables);
    assert_eq!((&answer["id"], &answer["secret"]), (&json!("AKIDPROCESS"), &json!("s3cr3t-process")));
    assert_unlogged(&log, &["s3cr3t-process", "t0k3n-process"]);

    fs::write(&config, "[default]\ncredential_process = echo s3cr3t-process >&2; exit 3\n").expect("written");
    let (answer, log) = ask(&directory, &variables);
    let error = answer["error"].as_str().expect("no credentials");
    assert!(error.contains("external process exited with code"), "{error}");
    assert_unlogged(&log, &["s3cr3t-process"]);
    assert_unlogged(error, &["s3cr3t-process"]);
}

#[tokio::test]
async fn a_web_identity_is_traded_for_a_role_at_the_sts_of_the_environment() {
    let directory = TempDir::new("aws");
    let moto = Moto::start(&directory).await;
    let file = directory.join("identity.jwt");
    fs::write(&file, "header.t0k3n-of-the-workload.signature").expect("written");
    let url = moto.url();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().expect("a path")),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_STS", &url),
        NO_INSTANCE,
    ];
    let (answer, log) = ask(&directory, &variables);
    let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"));
    assert!(text("id").starts_with("ASIA") && answer["expires"] == true, "{answer}");
    assert_unlogged(&log, &[text("secret"), text("token"), "t0k3n-of-the-workload"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_gives_the_credentials_of_its_role_and_its_region_to_who_shows_a_token() {
    let directory = TempDir::new("aws");
    let instance = instance::start().await;
    let (answer, log) = ask(&directory, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &instance)]);
    assert_eq!((&answer["id"], &answer["secret"]), (&json!("ASIAINSTANCE"), &json!("s3cr3t-instance")));
    assert_eq!((&answer["token"], &answer["expires"]), (&json!("t0k3n-instance"), &json!(true)));
    assert_eq!(answer["region"], "eu-north-1");
    assert_unlogged(&log, &["s3cr3t-instance", "t0k3n-instance", instance::TOKEN]);
}

#[tokio::test]
async fn a_container_gives_the_credentials_of_its_task() {
    let directory = TempDir::new("aws");
    let moto = Moto::start(&directory).await;
    let url = format!("{}/latest/meta-data/iam/security-credentials/default-role", moto.url());
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0k3n-of-the-task"),
        NO_INSTANCE,
    ];
    let (answer, log) = ask(&directory, &variables);
    // What moto gives to everybody.
    assert_eq!((&answer["id"], &answer["secret"]), (&json!("test-key"), &json!("test-secret-key")));
    assert_eq!((&answer["token"], &answer["expires"]), (&json!("test-session-token"), &json!(true)));
    assert_unlogged(&log, &["test-secret-key", "test-session-token", "t0k3n-of-the-task"]);
}

#[tokio::test]
async fn where_nothing_offers_credentials_it_says_what_would() {
    let directory = TempDir::new("aws");
    let (answer, _) = ask(&directory, &[NO_INSTANCE]);
    let error = answer["error"].as_str().expect("no credentials");
    assert!(error.contains("hint: set AWS_ACCESS_KEY_ID"), "{error}");
}
