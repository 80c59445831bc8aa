//! The client against a real Consul.
#![forbid(unsafe_code)]

use std::fs;
use std::time::Duration;

use biplane_consul_client::{
    Address, Client, Error, NewSession, PutCondition, Query, Secret, SessionBehavior, Settings, Tls,
    TokenSource, TxnOp, TxnOutcome,
};
use biplane_testkit::{Authority, Consul, TempDir, eventually};

fn settings(consul: &Consul) -> Settings {
    let address = consul.address();
    let address = Address::Tcp { host: address.ip().to_string(), port: address.port(), tls: false };
    Settings { address, ..Settings::default() }
}

fn client(consul: &Consul) -> Client {
    Client::new(settings(consul)).expect("good settings")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_values_and_indexes_are_what_consul_has() {
    let directory = TempDir::new("consul-client-kv");
    let consul = Consul::start(&directory).await;
    let client = client(&consul);
    let consistent = Query::consistent();

    let none = client.kv_recurse("none/", &consistent).await.expect("an answer");
    assert!(none.value.is_none() && none.meta.index > 1 && none.meta.known_leader && !none.meta.filtered);

    for (key, value) in [("odd/a b?c#d%20/\u{e9}", &b"\xff\x00"[..]), ("odd/empty", b"")] {
        assert_eq!(client.kv_put(key, value.to_vec(), PutCondition::At(0)).await, Ok(true));
        assert_eq!(client.kv_put(key, value.to_vec(), PutCondition::At(0)).await, Ok(false), "it exists");
        let entry = client.kv_get(key, &consistent).await.expect("an answer").value.expect("it was written");
        assert_eq!((entry.key.as_ref(), entry.value().as_deref()), (key, Some(value)));
    }
    let keys = client.kv_keys("od", Some("/"), &consistent).await.expect("an answer");
    assert_eq!(keys.value, Some(vec!["odd/".to_owned()]));
    let list = client.kv_recurse("odd/", &consistent).await.expect("an answer");
    let entries = list.value.expect("two keys");
    let entries = entries.parse().expect("an answer of Consul's");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries.iter().map(|entry| entry.modify_index).max(), Some(list.meta.index));
    client.kv_delete("odd/empty").await.expect("a deletion");
    assert_eq!(client.kv_get("odd/empty", &consistent).await.expect("an answer").value, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_query_waits_for_a_change_or_for_its_time() {
    let directory = TempDir::new("consul-client-blocking");
    let consul = Consul::start(&directory).await;
    let client = client(&consul);
    consul.kv_put("watched/a", "1").await.expect("a write");
    let before = client.kv_recurse("watched/", &Query::default()).await.expect("an answer").meta.index;
    let waiting = {
        let client = client.clone();
        let query = Query::after(before, Duration::from_mins(1));
        tokio::spawn(async move { client.kv_recurse("watched/", &query).await })
    };
    consul.kv_put("watched/a", "2").await.expect("a write");
    let after = waiting.await.expect("no panic").expect("an answer").meta.index;
    assert!(after > before);
    let query = Query::after(after, Duration::from_millis(10));
    let same = client.kv_recurse("watched/", &query).await.expect("an answer");
    assert_eq!(same.meta.index, after, "a return is no proof of a change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_applies_all_or_nothing_and_says_why() {
    let directory = TempDir::new("consul-client-txn");
    let consul = Consul::start(&directory).await;
    let client = client(&consul);
    let set = |key: &str| TxnOp::Set(key.to_owned(), "1".into());
    let applied = client.txn(&[set("t/a"), TxnOp::Cas("t/b".into(), "1".into(), 0)]).await;
    let Ok(TxnOutcome::Applied(results)) = applied else { panic!("{applied:?}") };
    assert_eq!(results.len(), 2);
    let index = results[0].modify_index;
    let refused = client.txn(&[set("t/c"), TxnOp::CheckIndex("t/a".into(), index + 1)]).await;
    let Ok(TxnOutcome::RolledBack(errors)) = refused else { panic!("{refused:?}") };
    assert_eq!(errors.iter().map(|error| error.op_index).collect::<Vec<_>>(), [1]);
    let read = client.txn(&[TxnOp::GetOrEmpty("t/c".into()), TxnOp::Get("t/a".into())]).await;
    let Ok(TxnOutcome::Applied(read)) = read else { panic!("{read:?}") };
    assert_eq!((read[0].modify_index, read[1].value()), (0, Some("1".into())));
    let many: Vec<_> = (0..129).map(|n| set(&format!("t/{n}"))).collect();
    assert!(matches!(client.txn(&many).await, Err(Error::TooLarge { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_holds_a_lock_until_it_ends() {
    let directory = TempDir::new("consul-client-session");
    let consul = Consul::start(&directory).await;
    let client = client(&consul);
    let new = NewSession {
        name: "test".into(),
        ttl: Duration::from_secs(10),
        behavior: SessionBehavior::Release,
        lock_delay: Duration::ZERO,
    };
    let (one, two) = (client.session_create(&new).await, client.session_create(&new).await);
    let (one, two) = (one.expect("a session"), two.expect("another"));
    let acquire = async |session: &str| client.kv_put("lock", "me", PutCondition::Acquire(session)).await;
    assert_eq!((acquire(&one).await, acquire(&two).await), (Ok(true), Ok(false)));
    assert_eq!(client.session_renew(&one).await, Ok(true));
    let info = client.session_info(&one, &Query::consistent()).await.expect("an answer").value;
    assert_eq!(info.map(|session| session.name).as_deref(), Some("test"));
    client.session_destroy(&one).await.expect("its end");
    assert_eq!(client.session_renew(&one).await, Ok(false));
    assert_eq!(client.session_info(&one, &Query::consistent()).await.expect("an answer").value, None);
    eventually("the lock", Duration::from_secs(10), async || {
        anyhow::ensure!(acquire(&two).await == Ok(true), "it is not free");
        Ok(())
    })
    .await;
    let check = TxnOp::CheckSession("lock".into(), one);
    assert!(matches!(client.txn(&[check]).await, Ok(TxnOutcome::RolledBack(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_says_who_it_is_and_who_leads_to_those_who_may_ask() {
    let directory = TempDir::new("consul-client-agent");
    let consul = Consul::builder().acl(true).start(&directory).await;
    let nobody = client(&consul);
    assert!(nobody.leader().await.expect("everybody may ask that").is_some());
    assert!(matches!(nobody.agent_self().await, Err(Error::Denied { .. })));
    let token = Some(TokenSource::Value(Secret::new(biplane_testkit::consul::MANAGEMENT_TOKEN)));
    let manager = Client::new(Settings { token, ..settings(&consul) }).expect("good settings");
    let agent = manager.agent_self().await.expect("it may ask").config;
    assert!(agent.server && agent.datacenter == "dc1" && !agent.version.is_empty(), "{agent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_that_is_replaced_is_used_without_a_restart() {
    let directory = TempDir::new("consul-client-tls");
    let authority = Authority::new("consul");
    let consul = Consul::builder().mutual_tls(&authority).start(&directory).await;
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).expect("write");
        path
    };
    let stranger = Authority::new("stranger").issue(&["biplane"]);
    let Address::Tcp { host, port, .. } = settings(&consul).address else { unreachable!("it is TCP") };
    let tls = Tls {
        ca_file: Some(write("ca.pem", authority.certificate())),
        cert_file: Some(write("client.pem", &stranger.certificate)),
        key_file: Some(write("client.key", &stranger.key)),
        ..Tls::default()
    };
    let address = Address::Tcp { host, port, tls: true };
    let client = Client::new(Settings { address, tls, ..Settings::default() }).expect("good settings");
    client.leader().await.expect_err("a stranger's certificate");
    let known = authority.issue(&["biplane"]);
    write("client.key", &known.key);
    write("client.pem", &known.certificate);
    eventually("the new certificate", Duration::from_secs(20), async || {
        Ok(client.leader().await.map(drop)?)
    })
    .await;
}
