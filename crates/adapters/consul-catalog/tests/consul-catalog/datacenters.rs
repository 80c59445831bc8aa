//! Several datacenters in one upstream, each with a gate of its own.

use std::time::Duration;

use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{EndpointSource as _, Listing, Phase, ServiceSource as _};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::{Consul, FaultProxy, TempDir, eventually, throughout};

use crate::harness::{
    Instance, PATIENCE, connect, options, request, until, until_failed, until_places, upstream,
};

fn both(service: &str) -> ConsulUpstream {
    ConsulUpstream { data_centers: vec!["dc1".to_owned(), "dc2".to_owned()], ..upstream(service) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_datacenter_has_a_gate_of_its_own() {
    let directory = TempDir::new("catalog-dcs");
    let east = Consul::builder().named("east").start(&directory).await;
    let west = Consul::builder().named("west").datacenter("dc2").joined_to(&east);
    let mut west = west.start(&directory).await;
    eventually("the two have met", PATIENCE, async || east.get("/v1/catalog/services?dc=dc2").await).await;
    let (here, there) = (Instance::new("web", 1), Instance::new("web", 2));
    here.register(&east).await;
    there.register(&west).await;
    let proxy = FaultProxy::http(east.address());
    let mut options = options(proxy.address());
    options.datacenters = vec!["dc1".to_owned(), "dc2".to_owned()];
    options.wait = Duration::from_secs(1);
    let source = connect(options);

    // One that has not answered holds back the whole: half of it is not all there is.
    proxy.answer(
        Matcher::path("/v1/health").query("dc=dc2"),
        Answer::status(500).body("No path to datacenter"),
        ALWAYS,
    );
    let mut watch = source.watch(&request(both("web")));
    let error = until_failed(&mut watch, &[]).await;
    assert!(error.message.contains("dc2"), "{error:?}");
    let mut alone =
        source.watch(&request(ConsulUpstream { data_centers: vec!["dc1".to_owned()], ..upstream("web") }));
    until_places(&mut alone, &[here.at()]).await;
    proxy.heal();
    let told = until_places(&mut watch, &[here.at(), there.at()]).await;
    let regions: Vec<_> = told.iter().map(|endpoint| endpoint.locality.region.as_str()).collect();
    assert_eq!(regions, ["dc1", "dc2"]);
    assert_eq!(told[0].metadata["dc_dc1"], "1");
    assert_eq!(told[1].metadata["dc_dc1"], "0");

    // Changes of one that answers go on while the other one fails, and nothing leaves.
    west.kill();
    let state = source.state();
    eventually("the state says so", PATIENCE, async || {
        let state = state.borrow();
        let since = state.details.get("datacenter dc2").cloned().unwrap_or_default();
        anyhow::ensure!(state.phase == Phase::Failed && since.contains("no answer since"), "{state:?}");
        Ok(())
    })
    .await;
    let more = Instance::new("web", 3);
    more.register(&east).await;
    until_places(&mut watch, &[here.at(), there.at(), more.at()]).await;
    more.deregister(&east).await;
    until_places(&mut watch, &[here.at(), there.at()]).await;

    // It comes back empty, and is not believed; the other one is.
    west.start_again().await;
    eventually("they have met again", PATIENCE, async || east.get("/v1/catalog/services?dc=dc2").await).await;
    throughout("what was there stays", Duration::from_secs(2), async || {
        more.register(&east).await;
        until_places(&mut watch, &[here.at(), there.at(), more.at()]).await;
        more.deregister(&east).await;
        until_places(&mut watch, &[here.at(), there.at()]).await;
        Ok(())
    })
    .await;
    there.clone().status("critical").register(&west).await;
    eventually("dc2 answers again", PATIENCE, async || {
        let state = state.borrow();
        anyhow::ensure!(
            state.phase == Phase::Complete && !state.details.contains_key("datacenter dc2"),
            "{state:?}"
        );
        Ok(())
    })
    .await;
    let mut services = source.services();
    let told = until(&mut services, "services of both", |told| match told {
        Listing::Complete(told) => told.iter().filter(|service| service.name.name == "web").count() == 2,
        Listing::Failed(_) => false,
    });
    let Listing::Complete(told) = told.await else { unreachable!("it was looked at") };
    assert!(told.is_sorted());
}
