//! Upstreams with credentials and roles of their own: what one is refused costs no other.

use anyhow::ensure;
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::moto::{ACCOUNT, AwsKeys};
use biplane_testkit::{Request, throughout};
use serde_json::{Value, json};

use super::world::{World, members, own, until_source};
use crate::harness::resources::object;
use crate::harness::{CALM, HOST, status};

/// The policy that is shipped.
const POLICY: &str = include_str!("../../../docs/policies/aws/ec2-read.json");

/// An answer of STS.
const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>";

/// moto checks every signature and right here, as AWS does.
#[tokio::test]
async fn credentials_that_are_refused_keep_the_endpoints_of_their_upstreams_and_cost_no_other() {
    let server = own().await;
    let policy: Value = serde_json::from_str(POLICY).expect("it is JSON");
    let keys = server.moto.user("one", &policy).await.expect("made");
    let others = server.moto.user("other", &policy).await.expect("made");
    let world = World::on(server, &[("web", &of_secret("one")), ("api", &of_secret("other"))]).await;
    world.site.files.write("one.yaml", &secret("one", &keys));
    world.site.files.write("other.yaml", &secret("other", &others));
    let _one = world.listen("one", 1);
    world.run(1).await;
    world.moto().check_access(true).await.expect("access is checked");
    for upstream in ["web", "api"] {
        world.until_members(upstream, 1).await;
    }
    status::until_clean(&world.site.biplane).await;
    let (known, load) = (members(&world.site).await.expect("clusters"), world.site.load());

    let wrong = AwsKeys { secret_access_key: "hunter2-hunter2".to_owned(), ..others.clone() };
    world.site.files.write("other.yaml", &secret("other", &wrong));
    let report = status::until_report(&world.site.biplane, "Upstream gloo-system/api", "stays in use").await;
    assert!(!report.to_string().contains("hunter2"), "{report}");
    throughout("endpoints that stay, and answers of both", CALM * 4, async || {
        let now = members(&world.site).await?;
        ensure!(now == known, "{now:?}");
        for path in ["/web/", "/api/"] {
            let answer = world.site.get(path).await;
            ensure!(answer.status == 200, "{path}: {}", answer.status);
        }
        let all = status::fetch(&world.site.biplane).await?;
        let others = status::reports(&all, "Upstream gloo-system/web");
        ensure!(others.is_empty(), "{others:?}");
        Ok(())
    })
    .await;

    world.site.files.write("other.yaml", &secret("other", &others));
    status::until_clean(&world.site.biplane).await;
    load.stop().assert_clean();
}

#[tokio::test]
async fn a_role_that_is_refused_costs_only_its_upstreams_and_is_asked_for_again() {
    let good = of_role("good");
    let world = World::start(&[("web", &good)]).await;
    let _one = world.listen("one", 1);
    world.run(1).await;
    world.site.until_upstream("one").await;
    let load = world.site.load();
    let bad = Matcher::path("/").body("Action=AssumeRole").body("role%2Fbad");
    world.link.answer(bad, Answer::status(403).body(DENIED), ALWAYS);
    world.replace(&[("web", &good), ("api", &of_role("bad"))]);
    let report =
        status::until_report(&world.site.biplane, "Upstream gloo-system/api", "none are known").await;
    let text = report.to_string();
    assert!(text.contains("role/bad") && text.contains("trust policy"), "{report:#}");
    until_source(&world.site, "denied", &["role/bad"]).await;
    // Its route waits a moment for a cluster that nobody knows, and then goes without.
    world.site.until(&Request::get(HOST, "/api/"), |answer| answer.status == 503).await;

    // The other upstream follows its machines meanwhile.
    let _two = world.listen("two", 2);
    world.run(2).await;
    world.site.until_upstream("two").await;
    world.link.heal();
    world.until_members("api", 2).await;
    status::until_clean(&world.site.biplane).await;
    load.stop().assert_clean();
}

fn of_secret(name: &str) -> String {
    format!(", secretRef: {{ name: {name}, namespace: gloo-system }}")
}

fn of_role(name: &str) -> String {
    format!(", roleArn: \"arn:aws:iam::{ACCOUNT}:role/{name}\"")
}

fn secret(name: &str, keys: &AwsKeys) -> String {
    let (id, secret) = (json!(keys.access_key_id), json!(keys.secret_access_key));
    object("Secret", name, &format!("aws: {{ accessKey: {id}, secretKey: {secret} }}"))
}
