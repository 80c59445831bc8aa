//! Rights: what is hidden is never taken for absent, and one right less is told.

use std::fs;
use std::sync::Arc;

use biplane_consul_client::{Secret, TokenSource};
use biplane_store::conformance::{Follower, document, key};
use biplane_store::sentinel::Sentinel;
use biplane_store::{Change, Precondition, RecordWrite, Store, StoreError, StoreExt as _};
use biplane_testkit::consul::Token;
use biplane_testkit::{Consul, TempDir};

use crate::harness::{connect, options};

const READER: &str = r#"key_prefix "own/" { policy = "read" }"#;
const LISTER: &str = r#"key_prefix "own/" { policy = "list" }"#;
const WRITER: &str = r#"key_prefix "own/" { policy = "write" }"#;
const LEADER: &str = r#"key_prefix "own/" { policy = "write" } session_prefix "" { policy = "write" }"#;
const HALF: &str =
    r#"key_prefix "own/config/Upstream/" { policy = "read" } key "own/config/_store" { policy = "read" }"#;

const NARROW: &str =
    r#"key_prefix "own/" { policy = "read" } key_prefix "own/config/Upstream/" { policy = "deny" }"#;

struct Guarded {
    consul: Consul,
    _directory: TempDir,
}

impl Guarded {
    async fn new(key_list_policy: bool) -> Self {
        let directory = TempDir::new("consul-acl");
        let consul = Consul::builder().acl(true).key_list_policy(key_list_policy).start(&directory).await;
        consul.kv_put("own/config/_store", Sentinel::new().encode()).await.expect("a write");
        for kind in ["VirtualService", "Upstream"] {
            let path = format!("own/config/{kind}/default/a");
            consul.kv_put(&path, document(&key("a"), "1")).await.expect("a write");
        }
        for (name, rules) in
            [("reader", READER), ("lister", LISTER), ("writer", WRITER), ("leader", LEADER), ("half", HALF)]
        {
            consul.acl_policy(name, rules).await.expect("a policy");
        }
        Self { consul, _directory: directory }
    }

    async fn token(&self, policy: &str) -> Token {
        self.consul.acl_token(&[policy]).await.expect("a token")
    }

    fn store(&self, token: Option<TokenSource>) -> Arc<dyn Store> {
        let mut options = options(self.consul.address(), "own");
        options.client.token = token;
        connect(options)
    }

    fn store_of(&self, token: &Token) -> Arc<dyn Store> {
        self.store(Some(TokenSource::Value(Secret::new(&token.secret))))
    }
}

/// The error, which says nothing of the token.
fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>, token: &Token) -> StoreError {
    let error = answer.expect_err("it has not the right");
    assert!(!format!("{error:?} {error}").contains(&token.secret), "{error:?}");
    assert!(error.hint().is_some(), "{error:?}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_loses_its_rights_ends_the_watch_and_works_again_when_they_return() {
    let guarded = Guarded::new(false).await;
    let token = guarded.token("reader").await;
    let store = guarded.store_of(&token);
    assert_eq!(store.list().await.expect("it may read").items.len(), 2);
    for policies in [&["half"][..], &[]] {
        let mut follower = Follower::start(&store).await;
        guarded.consul.acl_token_update(&token, policies).await.expect("fewer rights");
        let told = follower.until_end().await;
        assert!(told.iter().all(|told| told.changes.is_empty()), "{policies:?}: {told:?}");
        assert!(matches!(follower.ended, Some(StoreError::Denied { .. })), "{:?}", follower.ended);
        let error = refused(store.list().await, &token);
        assert!(matches!(error, StoreError::Denied { .. }), "{policies:?}: {error:?}");
        guarded.consul.acl_token_update(&token, &["reader"]).await.expect("its rights again");
        assert_eq!(store.list().await.expect("it may read again").items.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_deleted_or_missing_is_told_and_never_means_empty() {
    let guarded = Guarded::new(false).await;
    let token = guarded.token("reader").await;
    let store = guarded.store_of(&token);
    let mut follower = Follower::start(&store).await;
    guarded.consul.acl_token_delete(&token).await.expect("its end");
    let told = follower.until_end().await;
    assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
    let error = refused(store.list().await, &token);
    assert!(error.hint().is_some_and(|hint| hint.contains("deleted")), "{error:?}");
    let error = refused(guarded.store(None).list().await, &token);
    assert!(matches!(error, StoreError::Denied { .. } | StoreError::Unmarked { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_file_that_is_renewed_is_read_again() {
    let guarded = Guarded::new(false).await;
    let directory = TempDir::new("consul-token");
    let path = directory.join("token");
    let (first, second) = (guarded.token("reader").await, guarded.token("reader").await);
    fs::write(&path, &first.secret).expect("write");
    let store = guarded.store(Some(TokenSource::File(path.clone())));
    store.list().await.expect("the first token is good");
    fs::write(&path, &second.secret).expect("write");
    guarded.consul.acl_token_delete(&first).await.expect("its end");
    assert_eq!(store.list().await.expect("the second token is good").items.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_for_lists_needs_the_right_to_list() {
    let guarded = Guarded::new(true).await;
    let lister = guarded.token("lister").await;
    assert_eq!(guarded.store_of(&lister).list().await.expect("it may list").items.len(), 2);
    let reader = guarded.token("reader").await;
    let error = refused(guarded.store_of(&reader).list().await, &reader);
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("list")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_right_less_than_needed_is_told_with_the_right_that_is_missing() {
    let guarded = Guarded::new(false).await;
    let reader = guarded.token("reader").await;
    let store = guarded.store_of(&reader);
    let error = refused(store.put(key("b"), document(&key("b"), "1"), Precondition::Any).await, &reader);
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    let records = store.records().expect("a place for them");
    let error = refused(records.write(vec![RecordWrite::put("status/a", "1")], None).await, &reader);
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    let writer = guarded.token("writer").await;
    let store = guarded.store_of(&writer);
    store.put(key("b"), document(&key("b"), "1"), Precondition::Any).await.expect("it may write");
    let error = refused(store.records().expect("a place").campaign("one").await, &writer);
    assert!(error.hint().is_some_and(|hint| hint.contains("session_prefix")), "{error:?}");
    let leader = guarded.token("leader").await;
    let records = guarded.store_of(&leader).records().expect("a place");
    records.campaign("one").await.expect("it may lead").resign().await;
}

/// Consul does not say to requests without a token that an answer leaves things out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_what_anybody_may_no_longer_read_is_told_and_not_deleted() {
    let guarded = Guarded::new(false).await;
    let anonymous = anonymous();
    guarded.consul.acl_policy("narrow", NARROW).await.expect("a policy");
    guarded.consul.acl_token_update(&anonymous, &["reader"]).await.expect("anybody may read");
    let store = guarded.store(None);
    let mut follower = Follower::start(&store).await;
    assert_eq!(follower.objects.len(), 2);
    guarded.consul.acl_token_update(&anonymous, &["narrow"]).await.expect("fewer rights");
    for note in ["2", "3"] {
        let path = "own/config/VirtualService/default/a";
        guarded.consul.kv_put(path, document(&key("a"), note)).await.expect("a write");
    }
    let told = follower.until_end().await;
    let deleted = |change: &Change| matches!(change, Change::Deleted(_));
    assert!(!told.iter().flat_map(|told| &told.changes).any(deleted), "{told:?}");
    for store in [store, guarded.store(None)] {
        let error = store.list().await.expect_err("some of it is hidden");
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_the_agents_own_applies_and_its_end_is_noticed() {
    let guarded = Guarded::new(false).await;
    let reader = guarded.token("reader").await;
    guarded.consul.acl_policy("narrow", NARROW).await.expect("a policy");
    guarded.consul.acl_token_update(&anonymous(), &["narrow"]).await.expect("anybody may read a part");
    let default_token = async |secret: &str| {
        let body = format!("{{\"Token\":\"{secret}\"}}");
        guarded.consul.call(http::Method::PUT, "/v1/agent/token/default", body).await.expect("a setting");
    };
    default_token(&reader.secret).await;
    let store = guarded.store(None);
    assert_eq!(store.list().await.expect("the agent may read").items.len(), 2);
    let mut follower = Follower::start(&store).await;
    default_token("").await;
    for note in ["2", "3"] {
        let path = "own/config/VirtualService/default/a";
        guarded.consul.kv_put(path, document(&key("a"), note)).await.expect("a write");
    }
    let told = follower.until_end().await;
    let deleted = |change: &Change| matches!(change, Change::Deleted(_));
    assert!(!told.iter().flat_map(|told| &told.changes).any(deleted), "{told:?}");
    let error = store.list().await.expect_err("some of it is hidden");
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
}

/// What Consul takes requests without a token for.
fn anonymous() -> Token {
    Token { accessor: "00000000-0000-0000-0000-000000000002".into(), secret: "anonymous".into() }
}
