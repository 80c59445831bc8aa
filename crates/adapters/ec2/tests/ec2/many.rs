//! Many upstreams, many machines: what it costs.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use anyhow::ensure;
use biplane_core::resources::upstream::discovery::{AwsEc2Upstream, TagFilter, TagPair};
use biplane_source::EndpointSource as _;
use biplane_testkit::eventually;
use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::cloud::Cloud;
use crate::harness::{Harness, PATIENCE, complete, request, source};
use crate::proxy::Proxy;

#[tokio::test]
async fn one_poll_serves_all_upstreams_of_a_caller() {
    let harness = Harness::with("refresh=2s").await;
    let started = Instant::now();
    // One at once, and one every two seconds, give or take a tenth.
    let due = || 1 + usize::try_from(started.elapsed().as_millis() / 1800).expect("a short while");
    let calls = || harness.proxy.calls("DescribeInstances");
    let upstreams = (1..=200).map(|port| harness.upstream("web", |upstream| upstream.port = Some(port)));
    let mut watches: Vec<_> = upstreams.map(|upstream| harness.watch(&upstream)).collect();
    join_all(watches.iter_mut().map(complete)).await;
    assert!(calls() <= due(), "{} calls, {} due", calls(), due());
    eventually("five more polls", PATIENCE, async || {
        ensure!(calls() >= 6, "{}", calls());
        Ok(())
    })
    .await;
    assert!(calls() <= due(), "{} calls, {} due", calls(), due());
}

#[tokio::test]
async fn every_page_is_read() {
    let harness = Harness::with("refresh=1s&page=10").await;
    let tag = harness.tag("web");
    let runs = (0..35).map(|_| async { harness.cloud.run(&[(crate::harness::TAG, &tag)]).await });
    let _: Vec<_> = stream::iter(runs).buffer_unordered(4).try_collect().await.expect("they run");
    let told = complete(&mut harness.watch(&harness.upstream("web", |_| {}))).await;
    assert_eq!(told.len(), 35);
    assert!(harness.proxy.calls("DescribeInstances") >= 4);
}

mod long {
    use super::*;

    const APPS: usize = 25;
    const CALLS: usize = 250;
    const AT_ONCE: usize = 10;

    /// Says how long a poll takes, with what moto takes of it, and how many calls.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn long_2500_machines_are_one_listing_for_all_upstreams() {
        let cloud = Cloud::start().await;
        let apps: Vec<String> = (0..APPS).map(|app| format!("app-{app}")).collect();
        let runs = (0..CALLS).map(|at| {
            let (cloud, app) = (&cloud, &apps[at % APPS]);
            async move { cloud.run_many(AT_ONCE, &[("App", app)]).await.map(|made| (at % APPS, made)) }
        });
        let runs: Vec<_> = stream::iter(runs).buffer_unordered(4).try_collect().await.expect("they run");
        let mut made = vec![BTreeSet::new(); APPS];
        for (app, addresses) in runs {
            made[app].extend(addresses.into_iter().map(IpAddr::V4));
        }
        let proxy = Proxy::start(cloud.address()).await;
        let source = source(&proxy, "refresh=1m&timeout=60s&page=100");
        let started = Instant::now();
        let mut watches: Vec<_> = apps.iter().map(|app| source.watch(&request(&upstream(app)))).collect();
        let told = join_all(watches.iter_mut().map(complete)).await;
        let time = started.elapsed();
        let told = told.iter().map(|endpoints| endpoints.iter().map(|endpoint| endpoint.address).collect());
        assert_eq!(told.collect::<Vec<BTreeSet<_>>>(), made);
        let calls = [proxy.calls("DescribeInstances"), proxy.calls("DescribeInstanceStatus")];
        eprintln!(
            "2500 machines for {APPS} upstreams: {time:?}, of which AWS {:?}; {calls:?} calls",
            proxy.time()
        );
        assert_eq!(calls[0], 3, "250 calls on pages of 100");
    }

    fn upstream(app: &str) -> AwsEc2Upstream {
        let pair = TagPair { key: "App".to_owned(), value: app.to_owned() };
        let filters = vec![TagFilter { key: None, kv_pair: Some(pair) }];
        AwsEc2Upstream { filters, ..AwsEc2Upstream::default() }
    }
}
