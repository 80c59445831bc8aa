//! Rights: what is hidden is never taken for absent, and one right less is told.

use std::fs;
use std::time::Duration;

use biplane_consul_catalog::CatalogOptions;
use biplane_consul_client::TokenSource;
use biplane_source::{Cause, EndpointSource as _, Listing, Phase, ServiceSource as _, SourceError};
use biplane_testkit::consul::Token;
use biplane_testkit::{Consul, TempDir};

use crate::harness::{
    Instance, connect, follow, next, options, options_with, until, until_failed, until_places,
};

/// The policy that is shipped.
fn shipped() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/policies/consul/catalog.hcl");
    fs::read_to_string(path).expect("the policy")
}

/// The same without one of its rules.
fn without(rule: &str) -> String {
    let policy = shipped();
    let start = policy.find(rule).expect("the rule is in it");
    let end = start + policy[start..].find('}').expect("a rule ends") + 1;
    format!("{}{}", &policy[..start], &policy[end..])
}

struct Guarded {
    consul: Consul,
    instances: Vec<Instance>,
    _directory: TempDir,
}

impl Guarded {
    async fn new(client_agent: bool) -> Self {
        let directory = TempDir::new("catalog-acl");
        let consul = Consul::builder().acl(true).client_agent(client_agent).start(&directory).await;
        let instances: Vec<_> = (1..=2)
            .map(|number| Instance { node: format!("node-{number}"), ..Instance::new("web", number) })
            .collect();
        for instance in &instances {
            instance.register(&consul).await;
        }
        let half = r#"service_prefix "" { policy = "read" } node "node-1" { policy = "read" }"#;
        let elsewhere = r#"service_prefix "other" { policy = "read" } node_prefix "" { policy = "read" }"#;
        for (name, rules) in [("catalog", &*shipped()), ("half", half), ("elsewhere", elsewhere)] {
            consul.acl_policy(name, rules).await.expect("a policy");
        }
        Self { consul, instances, _directory: directory }
    }

    fn places(&self) -> Vec<std::net::SocketAddr> {
        self.instances.iter().map(Instance::at).collect()
    }

    async fn token(&self, policy: &str) -> Token {
        self.consul.acl_token(&[policy]).await.expect("a token")
    }

    fn options(&self, token: &Token) -> CatalogOptions {
        // Consul does not wake a query whose rights have changed.
        CatalogOptions {
            wait: Duration::from_millis(300),
            ..options_with(self.consul.address(), &token.secret)
        }
    }
}

fn assert_refused(error: &SourceError, token: &Token) {
    assert_eq!(error.cause, Cause::Denied, "{error:?}");
    assert!(error.hint.is_some() && !format!("{error:?}").contains(&token.secret), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_loses_rights_removes_nothing_and_works_again_when_they_return() {
    for (client_agent, cached, max_watches) in
        [(false, false, 64), (false, false, 0), (true, false, 64), (true, true, 64)]
    {
        let guarded = Guarded::new(client_agent).await;
        let token = guarded.token("catalog").await;
        let source = connect(CatalogOptions { cached, max_watches, ..guarded.options(&token) });
        let mut watch = follow(&source, "web");
        until_places(&mut watch, &guarded.places()).await;
        for policies in [&["half"][..], &["elsewhere"], &[]] {
            guarded.consul.acl_token_update(&token, policies).await.expect("fewer rights");
            // What lives on hints looks only when something has changed.
            guarded.instances[0].clone().tags(policies).register(&guarded.consul).await;
            let error = until_failed(&mut watch, &guarded.places()).await;
            assert_refused(&error, &token);
            guarded.consul.acl_token_update(&token, &["catalog"]).await.expect("its rights again");
            until_places(&mut watch, &guarded.places()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_deleted_is_told_as_such_and_removes_nothing() {
    let guarded = Guarded::new(false).await;
    let directory = TempDir::new("catalog-token");
    let path = directory.join("token");
    let (first, second) = (guarded.token("catalog").await, guarded.token("catalog").await);
    fs::write(&path, &first.secret).expect("write");
    let mut options = guarded.options(&first);
    options.client.token = Some(TokenSource::File(path.clone()));
    let source = connect(options);
    let mut watch = follow(&source, "web");
    until_places(&mut watch, &guarded.places()).await;
    guarded.consul.acl_token_delete(&first).await.expect("its end");
    let error = until_failed(&mut watch, &guarded.places()).await;
    assert_refused(&error, &first);
    assert!(error.hint.expect("advice").contains("deleted"));
    // Who renews the file mends it, without a restart.
    fs::write(&path, &second.secret).expect("write");
    until_places(&mut watch, &guarded.places()).await;
}

/// Consul does not say to requests without a token that an answer leaves things out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_what_nobody_may_see_is_told_and_not_taken_for_absent() {
    let guarded = Guarded::new(false).await;
    let anonymous =
        Token { accessor: "00000000-0000-0000-0000-000000000002".into(), secret: "anonymous".into() };
    let anybody = || CatalogOptions { wait: Duration::from_millis(300), ..options(guarded.consul.address()) };
    let source = connect(anybody());
    let error = until_failed(&mut follow(&source, "web"), &[]).await;
    assert_eq!(error.cause, Cause::Denied, "{error:?}");
    guarded.consul.acl_token_update(&anonymous, &["catalog"]).await.expect("anybody may read");
    let source = connect(anybody());
    let mut watch = follow(&source, "web");
    until_places(&mut watch, &guarded.places()).await;
    guarded.consul.acl_token_update(&anonymous, &["half"]).await.expect("fewer rights");
    let error = until_failed(&mut watch, &guarded.places()).await;
    assert_eq!(error.cause, Cause::Denied, "{error:?}");
}

/// An agent may have a token for requests without one; when that is taken away they are anybody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_agents_own_token_removes_nothing() {
    let guarded = Guarded::new(false).await;
    let token = guarded.token("catalog").await;
    let default_token = async |secret: &str| {
        let body = format!("{{\"Token\":\"{secret}\"}}");
        let path = "/v1/agent/token/default";
        guarded.consul.call(http::Method::PUT, path, body).await.expect("a setting");
    };
    default_token(&token.secret).await;
    let source =
        connect(CatalogOptions { wait: Duration::from_millis(300), ..options(guarded.consul.address()) });
    let mut watch = follow(&source, "web");
    until_places(&mut watch, &guarded.places()).await;
    default_token("").await;
    let error = until_failed(&mut watch, &guarded.places()).await;
    assert_refused(&error, &token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_that_is_shipped_is_enough_and_one_rule_less_is_told() {
    let guarded = Guarded::new(false).await;
    let whole = guarded.token("catalog").await;
    let source = connect(guarded.options(&whole));
    until_places(&mut follow(&source, "web"), &guarded.places()).await;
    let mut services = source.services();
    let told = next(&mut services).await;
    assert!(
        matches!(&told, Listing::Complete(told) if told.iter().any(|at| at.name.name == "web")),
        "{told:?}"
    );
    for rule in ["service_prefix", "node_prefix"] {
        guarded.consul.acl_policy("less", &without(rule)).await.expect("a policy");
        let token = guarded.token("less").await;
        let source = connect(guarded.options(&token));
        let error = until_failed(&mut follow(&source, "web"), &[]).await;
        assert_refused(&error, &token);
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains(rule)), "{rule}: {error:?}");
        let mut services = source.services();
        let told = until(&mut services, "a refusal", |told| matches!(told, Listing::Failed(_))).await;
        let Listing::Failed(error) = told else { unreachable!("it was looked at") };
        assert_refused(&error, &token);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_shows_nowhere() {
    let guarded = Guarded::new(false).await;
    let token = guarded.token("elsewhere").await;
    let options = guarded.options(&token);
    let source = connect(options.clone());
    let error = until_failed(&mut follow(&source, "web"), &[]).await;
    let state = source.state().borrow().clone();
    let printed = format!("{options:?} {source:?} {error:?} {error} {state:?} {:?}", source.counters());
    assert!(!printed.contains(&token.secret), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_nobody_asks_finds_out_by_itself_whether_it_may_read() {
    let guarded = Guarded::new(false).await;
    let token = guarded.token("catalog").await;
    let source = connect(guarded.options(&token));
    let mut state = source.state();
    let complete = state.wait_for(|state| state.known);
    tokio::time::timeout(crate::harness::PATIENCE, complete).await.expect("in time").expect("a state");
    let source = connect(options_with(guarded.consul.address(), "00000000-0000-4000-8000-000000000000"));
    let mut state = source.state();
    let failed = state.wait_for(|state| state.last_error.is_some());
    let failed =
        tokio::time::timeout(crate::harness::PATIENCE, failed).await.expect("in time").expect("a state");
    assert_eq!(failed.last_error.as_ref().map(|error| error.cause), Some(Cause::Denied));
}

/// Consul lets no token end before a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_a_token_that_expires_is_told_as_such_and_removes_nothing() {
    let guarded = Guarded::new(false).await;
    let token = guarded.consul.acl_token_expiring(&["catalog"], "60s").await.expect("a token");
    let source = connect(guarded.options(&token));
    let mut watch = follow(&source, "web");
    until_places(&mut watch, &guarded.places()).await;
    let mut state = source.state();
    let failed = state.wait_for(|state| state.phase == Phase::Failed);
    tokio::time::timeout(Duration::from_secs(100), failed).await.expect("it expires").expect("a state");
    let error = until_failed(&mut watch, &guarded.places()).await;
    assert_refused(&error, &token);
    assert!(error.hint.expect("advice").contains("expired"));
}
