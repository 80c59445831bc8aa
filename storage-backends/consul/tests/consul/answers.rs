//! Answers by the book: indexes that go back or are zero, servers without a leader, limits of the rate, links that
//! carry nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use biplane_store::conformance::{Follower, document, key};
use biplane_store::sentinel::Sentinel;
use biplane_store::{Store, StoreError};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::{Consul, FaultProxy, TempDir, eventually, throughout};

use crate::harness::{Marked, Server, connect, fresh_root, options, shared, tuning};

/// A root behind a proxy that can answer in Consul's place.
struct Answered {
    server: Arc<Server>,
    proxy: FaultProxy,
    root: String,
    store: Arc<dyn Store>,
}

impl Answered {
    async fn new() -> Self {
        let server = shared().await;
        let proxy = FaultProxy::http(server.consul.address());
        let root = fresh_root();
        let store = connect(options(proxy.address(), &root));
        let this = Self { server, proxy, root, store };
        this.put("_store", Sentinel::new().encode()).await;
        this.put_service("a", "1").await;
        this
    }

    async fn put(&self, below: &str, value: impl Into<bytes::Bytes>) {
        let path = format!("{}/config/{below}", self.root);
        self.server.consul.kv_put(&path, value).await.expect("a write");
    }

    async fn put_service(&self, name: &str, note: &str) {
        self.put(&format!("VirtualService/default/{name}"), document(&key(name), note)).await;
    }

    fn path(&self) -> String {
        format!("/v1/kv/{}/config/", self.root)
    }

    /// Waits until a blocking query is under way.
    async fn blocked(&self) {
        eventually("a blocking query", Duration::from_secs(10), async || {
            anyhow_ensure(self.proxy.seen().iter().any(|seen| format!("{seen:?}").contains("index=")))
        })
        .await;
    }

    /// The next blocking query is answered with the present content and this index.
    async fn answer_next(&self, index: &str) {
        let content = self.server.consul.get(&format!("{}?recurse", self.path())).await.expect("content");
        let answer = Answer::status(200).header("X-Consul-Index", index).body(&content.text());
        let blocking = Matcher::path(&self.path()).query("index=");
        self.proxy.answer(blocking, answer, 1);
        // The query that is open now is not answered by the rule: what wakes it makes room for the next.
        self.put_service("wake", index).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_goes_back_alone_is_no_other_history() {
    let answered = Answered::new().await;
    let mut follower = Follower::start(&answered.store).await;
    answered.blocked().await;
    answered.answer_next("2").await;
    eventually("the answer", Duration::from_secs(10), async || {
        anyhow_ensure(answered.proxy.counters().answered == 1)
    })
    .await;
    answered.put_service("a", "after").await;
    follower.until_note(&key("a"), "after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_zero_makes_no_hot_loop() {
    let answered = Answered::new().await;
    let content = answered.server.consul.get(&format!("{}?recurse", answered.path())).await.expect("content");
    let mut follower = Follower::start(&answered.store).await;
    answered.blocked().await;
    let answer = Answer::status(200).header("X-Consul-Index", "0").body(&content.text());
    answered.proxy.answer(Matcher::path(&answered.path()).query("recurse"), answer, ALWAYS);
    answered.put_service("wake", "1").await;
    follower.until_note(&key("wake"), "1").await;
    let before = answered.proxy.requests();
    throughout("a quiet line", Duration::from_secs(3), async || {
        let asked = answered.proxy.requests() - before;
        anyhow_ensure(asked < 16)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_with_nothing_to_tell_asks_next_to_nothing() {
    let harness = Marked::in_parts().await;
    harness.put_service("a", "1").await;
    let proxy = FaultProxy::http(harness.server.consul.address());
    let store = connect(options(proxy.address(), &harness.root).tuning(biplane_store_consul::Tuning {
        probe: Duration::from_secs(10),
        whole_bytes: 0,
        ..tuning()
    }));
    let mut follower = Follower::start(&store).await;
    harness.put_service("a", "2").await;
    follower.until_note(&key("a"), "\"2\"").await;
    eventually("quiet", Duration::from_secs(10), async || anyhow_ensure(proxy.requests() > 6)).await;
    let before = proxy.requests();
    throughout("quiet", Duration::from_secs(4), async || anyhow_ensure(proxy.requests() - before < 8)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_no_leader_is_not_believed() {
    let answered = Answered::new().await;
    let follower = Follower::start(&answered.store).await;
    let lost = Answer::status(404).header("X-Consul-Index", "9").header("X-Consul-KnownLeader", "false");
    answered.proxy.answer(Matcher::path(&answered.path()).query("recurse"), lost, ALWAYS);
    let error = answered.store.list().await.expect_err("nobody vouches for it");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    answered.proxy.heal();
    let words = Answer::status(500).body("No cluster leader");
    answered.proxy.answer(Matcher::any(), words, ALWAYS);
    let error = answered.store.list().await.expect_err("there is no leader");
    assert!(matches!(error, StoreError::Unavailable { .. }) && error.hint().is_some(), "{error:?}");
    drop(follower);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_the_rate_says_for_how_long_to_stay_away() {
    let answered = Answered::new().await;
    let busy = Answer::status(429).header("Retry-After", "7").body("rate limit exceeded");
    answered.proxy.answer(Matcher::any(), busy, ALWAYS);
    let error = answered.store.list().await.expect_err("it is busy");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_limit_of_the_rate_is_told_as_such() {
    let directory = TempDir::new("consul-limited");
    let consul = Consul::builder().rate_limit(20, 100).start(&directory).await;
    consul.kv_put("own/config/_store", Sentinel::new().encode()).await.expect("a write");
    let store = connect(options(consul.address(), "own"));
    eventually("the limit", Duration::from_secs(20), async || {
        let lists = futures::future::join_all((0..40).map(|_| store.list())).await;
        let busy = lists.into_iter().filter_map(Result::err).find(|error| error.retry_after().is_some());
        busy.map(drop).ok_or_else(|| anyhow::anyhow!("nobody was sent away"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_garbled_answer_ends_the_watch_and_changes_nothing() {
    let answered = Answered::new().await;
    let mut follower = Follower::start(&answered.store).await;
    for body in ["<html>proxy</html>", "[{\"Key\":\"elsewhere\",\"CreateIndex\":1,\"ModifyIndex\":2}]", "[{"]
    {
        let answer = Answer::status(200).header("X-Consul-Index", "99999999").body(body);
        answered.proxy.answer(Matcher::path(&answered.path()).query("recurse"), answer, ALWAYS);
        let error = answered.store.list().await.expect_err(body);
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    }
    answered.put_service("a", "2").await;
    let told = follower.until_end().await;
    let gone = |change: &biplane_store::Change| matches!(change, biplane_store::Change::Deleted(_));
    assert!(!told.iter().flat_map(|told| &told.changes).any(gone), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_carries_nothing_ends_the_watch_in_time() {
    let server = shared().await;
    let proxy = FaultProxy::start(server.consul.address());
    let root = fresh_root();
    server.consul.kv_put(&format!("{root}/config/_store"), Sentinel::new().encode()).await.expect("a write");
    let mut options = options(proxy.address(), &root);
    options.client.request_timeout = Duration::from_secs(3);
    let store = connect(options);
    let mut follower = Follower::start(&store).await;
    proxy.blackhole();
    let began = Instant::now();
    follower.until_end().await;
    assert!(matches!(follower.ended, Some(StoreError::Unavailable { .. })), "{:?}", follower.ended);
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert!(store.list().await.is_err());
    proxy.heal();
    store.list().await.expect("the link is back");
}

fn anyhow_ensure(holds: bool) -> anyhow::Result<()> {
    anyhow::ensure!(holds, "not so");
    Ok(())
}
