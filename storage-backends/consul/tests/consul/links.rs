//! How a store reaches its agent: TLS both ways, Unix sockets, other datacenters.

use std::fs;
use std::path::PathBuf;

use biplane_consul_client::Address;
use biplane_store::Store as _;
use biplane_store::StoreError;
use biplane_store::conformance::{Follower, document, key};
use biplane_store::sentinel::Sentinel;
use biplane_store_consul::{ConsulOptions, ConsulStore};
use biplane_testkit::{Authority, Consul, TempDir};

use crate::harness::{connect, fresh_root, options, shared};

async fn mark(consul: &Consul) {
    consul.kv_put("own/config/_store", Sentinel::new().encode()).await.expect("a write");
}

fn file(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("write");
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_both_ways_needs_the_right_authority_and_certificate() {
    let directory = TempDir::new("consul-tls");
    let authority = Authority::new("consul");
    let consul = Consul::builder().mutual_tls(&authority).start(&directory).await;
    mark(&consul).await;
    let client = authority.issue(&["biplane"]);
    let mut good = options(consul.address(), "own");
    let Address::Tcp { tls, .. } = &mut good.client.address else { unreachable!("it is TCP") };
    *tls = true;
    good.client.tls.ca_file = Some(file(&directory, "ca.pem", authority.certificate()));
    good.client.tls.cert_file = Some(file(&directory, "client.pem", &client.certificate));
    good.client.tls.key_file = Some(file(&directory, "client.key", &client.key));
    let store = connect(good.clone());
    let mut follower = Follower::start(&store).await;
    consul.kv_put("own/config/VirtualService/default/a", document(&key("a"), "1")).await.expect("a write");
    follower.until_note(&key("a"), "1").await;

    let mut nameless = good.clone();
    (nameless.client.tls.cert_file, nameless.client.tls.key_file) = (None, None);
    let mut strange = good.clone();
    strange.client.tls.ca_file = Some(file(&directory, "other.pem", Authority::new("other").certificate()));
    let mut misnamed = good.clone();
    misnamed.client.tls.server_name = Some("server.dc9.consul".into());
    for options in [nameless, strange, misnamed] {
        let error = connect(options).list().await.expect_err("it must not be trusted");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    }

    let mut named = good.clone();
    named.client.tls.server_name = Some("localhost".into());
    connect(named).list().await.expect("the certificate bears that name");
    let mut careless = good;
    careless.client.tls.ca_file = None;
    careless.client.tls.verify = false;
    connect(careless).list().await.expect("nobody looks at the certificate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_serves_as_well() {
    let directory = TempDir::new("consul-socket");
    let consul = Consul::builder().unix_socket(true).start(&directory).await;
    mark(&consul).await;
    let url = format!("consul+unix://{}?root=own", consul.socket().display());
    let options = ConsulOptions::from_url(&url, &|_| None).expect("a good URL");
    let store = connect(options);
    assert_eq!(store.describe().name, url);
    let mut follower = Follower::start(&store).await;
    consul.kv_put("own/config/VirtualService/default/a", document(&key("a"), "1")).await.expect("a write");
    follower.until_note(&key("a"), "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_datacenter_has_its_own_keys_and_an_unknown_one_is_an_error() {
    let server = shared().await;
    let root = fresh_root();
    server.consul.kv_put(&format!("{root}/config/_store"), Sentinel::new().encode()).await.expect("a write");
    let mut options = options(server.consul.address(), &root);
    options.client.datacenter = Some("dc1".into());
    connect(options.clone()).list().await.expect("it is the agent's own");
    options.client.datacenter = Some("dc2".into());
    let error = connect(options).list().await.expect_err("there is no such datacenter");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("datacenter"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_datacenter_is_read_and_watched_through_the_own_agent() {
    let directory = TempDir::new("consul-datacenters");
    let here = Consul::builder().named("here").start(&directory).await;
    let there = Consul::builder().named("there").datacenter("dc2").joined_to(&here).start(&directory).await;
    mark(&there).await;
    let mut options = options(here.address(), "own");
    options.client.datacenter = Some("dc2".into());
    let store = connect(options);
    biplane_testkit::eventually("the way to dc2", std::time::Duration::from_secs(30), async || {
        Ok(store.list().await.map(drop)?)
    })
    .await;
    let mut follower = Follower::start(&store).await;
    there.kv_put("own/config/VirtualService/default/a", document(&key("a"), "1")).await.expect("a write");
    follower.until_note(&key("a"), "1").await;
    assert!(store.describe().name.ends_with("?dc=dc2"), "{:?}", store.describe());
}

#[tokio::test]
async fn a_store_is_made_while_nobody_is_there_and_says_so_when_asked() {
    let options = ConsulOptions::from_url("consul://127.0.0.1:1/r", &|_| None).expect("a good URL");
    let store = ConsulStore::connect(options).expect("nothing is asked yet");
    let error = store.list().await.expect_err("nobody is there");
    assert!(error.to_string().contains("127.0.0.1:1") && error.hint().is_some(), "{error:?}");
}
