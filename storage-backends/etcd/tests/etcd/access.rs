//! Who may do what: users, tokens that die, passwords that change, rights that lack.

use std::fs;
use std::sync::Arc;

use biplane_core::scalars::SecretString;
use biplane_store::conformance::{Follower, document, key};
use biplane_store::{Author, Batch, Precondition, RecordWrite, Store, StoreError, StoreExt as _};
use biplane_store_etcd::{EtcdOptions, Password};
use biplane_testkit::etcd::{Permission, ROOT_PASSWORD, ROOT_USER};
use biplane_testkit::{Etcd, eventually};

use crate::harness::{Own, ROOT, connect, names};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

fn text(password: &str) -> Password {
    Password::Text(SecretString::new(password))
}

/// An etcd with users, one of which has the least rights that a writer needs.
async fn with_users() -> Own {
    // Passwords that cost little to check: a busy machine has other work.
    let own = Own::start(Etcd::builder().auth(true).arguments(["--bcrypt-cost=4"])).await;
    let grants = async {
        own.etcd.user_add("biplane", "first").await?;
        own.etcd.role_add("biplane").await?;
        own.etcd.role_grant("biplane", Permission::ReadWrite, "biplane/").await?;
        own.etcd.user_grant_role("biplane", "biplane").await
    };
    grants.await.expect("granted");
    own
}

fn open(options: EtcdOptions) -> Arc<dyn Store> {
    Arc::new(connect(options))
}

fn authored() -> Batch {
    let author = Author { name: "ann".to_owned(), message: String::new() };
    Batch::new().put(key("a"), document(&key("a"), "1"), Precondition::Any).by(author)
}

#[tokio::test]
async fn rights_on_the_root_are_all_that_a_writer_needs() {
    let own = with_users().await;
    let store = open(own.options().user("biplane", text("first")));
    let mut follower = Follower::start(&store).await;
    store.commit(authored()).await.expect("may write objects and intents");
    follower.until_note(&key("a"), "1").await;
    let records = store.records().expect("there is room");
    let seat = records.campaign("me").await.expect("may lead");
    let write = vec![RecordWrite::put("status/a", "1")];
    records.write(write, Some(&seat.fence())).await.expect("may write status");
    seat.resign().await;
    assert_eq!(names(&store).await, ["a"]);
}

#[tokio::test]
async fn one_right_less_fails_clearly() {
    let own = with_users().await;
    let denied = |error: StoreError, what: &str| {
        assert!(matches!(error, StoreError::Denied { .. }), "{what}: {error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("role grant-permission")), "{error:?}");
    };
    for (role, permission, prefix) in
        [("looker", Permission::Read, "biplane/config/"), ("half", Permission::ReadWrite, "biplane/config/")]
    {
        own.etcd.user_add(role, "word").await.expect("added");
        own.etcd.role_add(role).await.expect("added");
        own.etcd.role_grant(role, permission, prefix).await.expect("granted");
        own.etcd.user_grant_role(role, role).await.expect("granted");
    }
    own.etcd.user_add("stranger", "word").await.expect("added");

    let looker = open(own.options().user("looker", text("word")));
    let mut follower = Follower::start(&looker).await;
    own.put("a", "1").await;
    follower.until_note(&key("a"), "1").await;
    denied(looker.commit(authored()).await.expect_err("may not write"), "write");
    denied(looker.init().await.expect_err("may not write"), "init");

    let half = open(own.options().user("half", text("word")));
    half.put(key("b"), document(&key("b"), "1"), Precondition::Any).await.expect("may write objects");
    denied(half.commit(authored()).await.expect_err("may not write meta/"), "intent");
    let records = half.records().expect("there is room");
    denied(records.campaign("me").await.expect_err("may not lead"), "lead");

    let stranger = open(own.options().user("stranger", text("word")));
    let from = looker.list().await.expect("may read").revision;
    denied(stranger.list().await.expect_err("may not read"), "list");
    denied(stranger.head().await.expect_err("may not read"), "head");
    denied(stranger.watch(from).await.err().expect("may not read"), "watch");
    own.etcd.user_grant_role("stranger", "looker").await.expect("granted");
    assert_eq!(names(&stranger).await, ["a", "b"], "a right that comes needs no restart");
}

#[tokio::test]
async fn who_does_not_say_who_it_is_is_told_how_to() {
    let own = with_users().await;
    for options in [own.options(), own.options().user("biplane", text("canary"))] {
        let error = open(options).list().await.expect_err("nobody we know");
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("passwordFile")), "{error:?}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn a_user_is_no_hindrance_where_none_is_asked_for() {
    let own = Own::start(Etcd::builder()).await;
    let store = open(own.options().user("biplane", text("first")));
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_token_that_died_is_replaced_by_every_call() {
    let mut own = with_users().await;
    let store = open(own.options().user("biplane", text("first")));
    let listing = store.list().await.expect("may read");
    // Setting a password ends the user's tokens, also when it is the same.
    let end_tokens = async || own.etcd.user_password("biplane", "first").await.expect("set");
    end_tokens().await;
    drop(store.watch(listing.revision).await.expect("a watch says again who it is"));
    end_tokens().await;
    store.put(key("a"), document(&key("a"), "1"), Precondition::Any).await.expect("and so does a write");
    end_tokens().await;
    assert_eq!(names(&store).await, ["a"]);
    end_tokens().await;
    let records = store.records().expect("there is room");
    let seat = records.campaign("me").await.expect("and so does a leader");
    end_tokens().await;
    seat.resign().await;
    assert_eq!(records.read("meta/leader").await, Ok(None));

    own.etcd.restart_all().await;
    eventually("the store after a restart that forgot all tokens", PATIENCE, async || {
        Ok(store.list().await.map(drop)?)
    })
    .await;
}

#[tokio::test]
async fn a_new_password_is_read_from_its_file() {
    let own = with_users().await;
    let file = own.directory.join("password");
    fs::write(&file, "first\n").expect("written");
    let store = open(own.options().user("biplane", Password::File(file.clone())));
    let from = store.list().await.expect("may read").revision;
    own.etcd.user_password("biplane", "second").await.expect("set");
    let error = store.list().await.expect_err("the file has the old one");
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    fs::write(&file, "second\n").expect("written");
    store.list().await.expect("the file has the new one");
    drop(store.watch(from).await.expect("the file has the new one"));
}

#[tokio::test]
async fn a_running_watch_outlives_its_token() {
    let own = with_users().await;
    let store = open(own.options().user("biplane", text("first")));
    let mut follower = Follower::start(&store).await;
    own.etcd.user_password("biplane", "first").await.expect("set");
    own.put("a", "1").await;
    follower.until_note(&key("a"), "1").await;
}

#[tokio::test]
async fn a_url_with_etcdctls_variables_opens_the_store() {
    let own = with_users().await;
    let variables = [
        ("ETCDCTL_ENDPOINTS", own.etcd.endpoints().join(",")),
        ("ETCDCTL_USER", format!("{ROOT_USER}:{ROOT_PASSWORD}")),
    ];
    let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let options = EtcdOptions::from_url(&format!("etcd:///{ROOT}"), &env).expect("valid");
    let store = connect(options);
    store.list().await.expect("may read");
    let name = store.describe().name;
    assert_eq!(name, format!("etcd://{}/{ROOT}", own.etcd.address(0)));
}
