//! Gloo's own keys, read in place.

use biplane_core::key::{Kind, ObjectKey};
use biplane_store::conformance::Follower;
use biplane_store::layout::Layout;
use biplane_store::{Batch, FaultKind, Precondition, Store, StoreError};
use biplane_store_consul::Tuning;
use std::sync::Arc;

use crate::harness::{Server, connect, fresh_root, options, shared, tuning};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream/gloo-system/petstore";
const SERVICE: &str = "gateway.solo.io/v1/VirtualService/gloo-system/default";
const PROXY: &str = "gloo.solo.io/v1/Proxy/gloo-system/gateway-proxy";

async fn put(server: &Server, root: &str, below: &str) {
    let value = "metadata: {name: petstore, namespace: gloo-system}\n";
    server.consul.kv_put(&format!("{root}/{below}"), value).await.expect("a write");
}

fn store(server: &Server, root: &str, tuning: Tuning) -> Arc<dyn Store> {
    connect(options(server.consul.address(), root).layout(Layout::Gloo).tuning(tuning))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gloo_keeps_is_listed_and_watched_and_its_output_is_left_alone() {
    for tuning in [tuning(), Tuning { whole_bytes: 0, ..tuning() }] {
        let (server, root) = (shared().await, fresh_root());
        for below in [UPSTREAM, PROXY, "gloo.solo.io/v1/Nonsense/gloo-system/a"] {
            put(&server, &root, below).await;
        }
        let store = store(&server, &root, tuning);
        let upstream = ObjectKey::new(Kind::Upstream, "gloo-system", "petstore");
        let mut follower = Follower::start(&store).await;
        assert_eq!(follower.objects.keys().collect::<Vec<_>>(), [&upstream]);
        assert_eq!(
            follower.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(),
            [FaultKind::Unidentified]
        );
        put(&server, &root, SERVICE).await;
        follower.until("the virtual service", |seen| seen.objects.len() == 2).await;
        server.consul.kv_delete(&format!("{root}/{UPSTREAM}")).await.expect("a deletion");
        follower.until("the deletion", |seen| seen.objects.len() == 1).await;
        assert!(store.head().await.expect("it is there") >= follower.revision);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gloo_keeps_is_never_written() {
    let (server, root) = (shared().await, fresh_root());
    put(&server, &root, UPSTREAM).await;
    let store = store(&server, &root, tuning());
    let description = store.describe();
    assert!(!description.writable && !description.sentinel && store.records().is_none());
    let upstream = ObjectKey::new(Kind::Upstream, "gloo-system", "new");
    let refused = store.commit(Batch::new().put(upstream, "", Precondition::Any)).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    assert_eq!(store.init().await, Ok(store.list().await.expect("it lists").identity));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_of_gloos_with_nothing_below_it_is_not_empty_but_unknown() {
    for tuning in [tuning(), Tuning { whole_bytes: 0, ..tuning() }] {
        let (server, root) = (shared().await, fresh_root());
        let store = store(&server, &root, tuning);
        assert!(matches!(store.list().await, Err(StoreError::Unmarked { .. })));
        assert!(store.head().await.is_err());
        for below in [UPSTREAM, SERVICE] {
            put(&server, &root, below).await;
        }
        let mut follower = Follower::start(&store).await;
        server.consul.kv_delete_prefix(&format!("{root}/")).await.expect("a deletion");
        let told = follower.until_end().await;
        assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
        assert!(matches!(follower.ended, Some(StoreError::Unmarked { .. })), "{:?}", follower.ended);
    }
}
