//! Catalogs that begin anew, servers that answer nonsense, agents that stand still: nothing leaves.

use std::time::Duration;

use biplane_consul_catalog::{CatalogOptions, Tuning};
use biplane_consul_client::Consistency;
use biplane_source::{Cause, EndpointSource as _, Phase};
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::{Consul, FaultProxy, TempDir, eventually, throughout};

use crate::harness::{
    Instance, PATIENCE, connect, counter, follow, fresh, has_counted, next, options, shared, until_failed,
    until_places,
};

/// For as long as something has to stay as it is.
const WHILE: Duration = Duration::from_secs(2);

fn settling(mut options: CatalogOptions, settle: Duration) -> CatalogOptions {
    options.tuning = Tuning { settle, ..options.tuning };
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_development_agent_that_was_restarted_empty_takes_nothing_away() {
    for (mesh, max_watches) in [(true, 64), (false, 64), (true, 0)] {
        let directory = TempDir::new("catalog-restart");
        let mut consul = Consul::builder().mesh(mesh).start(&directory).await;
        let instances: Vec<_> = (1..=3).map(|number| Instance::new("web", number)).collect();
        for instance in &instances {
            instance.register(&consul).await;
        }
        let places: Vec<_> = instances.iter().map(Instance::at).collect();
        let options = CatalogOptions { max_watches, ..options(consul.address()) };
        let source = connect(settling(options, Duration::from_millis(100)));
        let mut watch = follow(&source, "web");
        until_places(&mut watch, &places).await;
        consul.restart().await;
        eventually("it is not believed", PATIENCE, async || has_counted(&source, "held", 3)).await;
        let error = until_failed(&mut watch, &places).await;
        let last = source.state().borrow().last_error.clone().expect("it is told");
        assert!(last.message.contains("begun anew"), "mesh {mesh}: {last:?}, first {error:?}");
        assert!(counter(&source, "restarts") > 0, "mesh {mesh}");
        // Its owner registers it again, and from then on it is believed as ever.
        instances[0].register(&consul).await;
        until_places(&mut watch, &places[..1]).await;
        instances[0].deregister(&consul).await;
        until_places(&mut watch, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_come_back_when_most_others_have_is_believed_to_be_gone() {
    let directory = TempDir::new("catalog-back");
    let mut consul = Consul::builder().mesh(true).start(&directory).await;
    let [web, api] = ["web", "api"].map(|name| Instance::new(name, 1));
    for instance in [&web, &api] {
        instance.register(&consul).await;
    }
    let source = connect(settling(options(consul.address()), Duration::from_millis(500)));
    let (mut webs, mut apis) = (follow(&source, "web"), follow(&source, "api"));
    until_places(&mut webs, &[web.at()]).await;
    until_places(&mut apis, &[api.at()]).await;
    consul.restart().await;
    eventually("it is not believed", PATIENCE, async || has_counted(&source, "held", 2)).await;
    until_failed(&mut webs, &[web.at()]).await;
    api.register(&consul).await;
    until_places(&mut apis, &[api.at()]).await;
    until_places(&mut webs, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_takes_nothing_away() {
    for max_watches in [64, 0] {
        let directory = TempDir::new("catalog-restore");
        let consul = Consul::start(&directory).await;
        let backup = consul.snapshot_save().await.expect("a backup");
        let instance = Instance::new("web", 1);
        instance.register(&consul).await;
        let proxy = FaultProxy::http(consul.address());
        let source = connect(CatalogOptions { max_watches, ..options(proxy.address()) });
        let mut watch = follow(&source, "web");
        until_places(&mut watch, &[instance.at()]).await;
        eventually("it waits for a change", PATIENCE, async || {
            let waiting = proxy.seen().into_iter().filter(|request| request.target.contains("index="));
            anyhow::ensure!(waiting.count() >= if max_watches == 0 { 3 } else { 1 });
            Ok(())
        })
        .await;
        consul.snapshot_restore(&backup).await.expect("the backup is restored");
        let error = until_failed(&mut watch, &[instance.at()]).await;
        assert!(error.message.contains("begun anew"), "{error:?}");
        instance.register(&consul).await;
        until_places(&mut watch, &[instance.at()]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_instance_that_is_deregistered_leaves_at_once() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("single"));
    let source = connect(options(consul.address()));
    let instance = Instance::new(&name, 1);
    instance.register(consul).await;
    let mut watch = follow(&source, &name);
    until_places(&mut watch, &[instance.at()]).await;
    instance.deregister(consul).await;
    until_places(&mut watch, &[]).await;
    assert_eq!((counter(&source, "held"), counter(&source, "confirmations")), (0, 1));
    instance.register(consul).await;
    until_places(&mut watch, &[instance.at()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_vouches_for_take_nothing_away() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("doubtful"));
    let instance = Instance::new(&name, 1);
    instance.register(consul).await;
    let proxy = FaultProxy::http(consul.address());
    let mut options = options(proxy.address());
    options.wait = Duration::from_millis(300);
    let source = connect(options);
    let mut watch = follow(&source, &name);
    until_places(&mut watch, &[instance.at()]).await;
    let path = format!("/v1/health/service/{name}");
    let empty = || Answer::status(200).header("x-consul-index", "999999").body("[]");
    for (answer, words, cause) in [
        (empty().header("x-consul-results-filtered-by-acls", "true"), "may not see", Cause::Denied),
        (empty().header("x-consul-knownleader", "false"), "no leader", Cause::Unavailable),
        (empty().header("x-consul-lastcontact", "60000"), "60s old", Cause::Unavailable),
        (Answer::status(500).body("No cluster leader"), "knows no leader", Cause::Unavailable),
        (Answer::status(429).body("Too many requests"), "limits the rate", Cause::Unavailable),
        (Answer::status(403).body("ACL not found"), "ACL not found", Cause::Denied),
        (Answer::status(403).body("Permission denied"), "Permission denied", Cause::Denied),
        (Answer::status(200).body("<html>"), "something else than Consul", Cause::Unavailable),
        (Answer::status(502).body("Bad gateway"), "502", Cause::Unavailable),
    ] {
        proxy.answer(Matcher::path(&path), answer, ALWAYS);
        let error = until_failed(&mut watch, &[instance.at()]).await;
        assert!(error.message.contains(words) && error.cause == cause, "{words}: {error:?}");
        proxy.heal();
        until_places(&mut watch, &[instance.at()]).await;
    }
    // An empty answer without any sign is asked for again, of the leader.
    proxy.answer(Matcher::path(&path).query("index="), empty(), 1);
    let before = counter(&source, "confirmations");
    eventually("it is asked again", PATIENCE, async || has_counted(&source, "confirmations", before + 1))
        .await;
    throughout("nothing leaves", WHILE, async || {
        anyhow::ensure!(source.state().borrow().phase == Phase::Complete);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_answer_that_lacks_something_is_asked_for_again() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("stale"));
    let instances: Vec<_> = (1..=2).map(|number| Instance::new(&name, number)).collect();
    for instance in &instances {
        instance.register(consul).await;
    }
    let places: Vec<_> = instances.iter().map(Instance::at).collect();
    let mut options = options(consul.address());
    options.consistency = Consistency::Stale;
    let source = connect(options);
    let mut watch = follow(&source, &name);
    until_places(&mut watch, &places).await;
    instances[1].deregister(consul).await;
    until_places(&mut watch, &places[..1]).await;
    assert_eq!(counter(&source, "confirmations"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_goes_back_or_stands_still_makes_no_hot_loop() {
    let server = shared().await;
    let (consul, name) = (&server.consul, fresh("index"));
    let instance = Instance::new(&name, 1);
    instance.register(consul).await;
    let proxy = FaultProxy::http(consul.address());
    let source = connect(options(proxy.address()));
    let mut watch = follow(&source, &name);
    until_places(&mut watch, &[instance.at()]).await;
    let path = format!("/v1/health/service/{name}");
    let body = consul.get(&path).await.expect("the instances").text();
    for index in ["1", "0", "-5", "nonsense"] {
        let answer = Answer::status(200).header("x-consul-index", index).body(&body);
        proxy.answer(Matcher::path(&path), answer, ALWAYS);
        source.refresh();
        let before = proxy.requests();
        throughout("it is not asked all the time", WHILE, async || {
            let asked = proxy.requests() - before;
            anyhow::ensure!(asked < 20, "{asked} requests");
            Ok(())
        })
        .await;
        proxy.heal();
    }
    instance.clone().tags(&["after"]).register(consul).await;
    instance.deregister(consul).await;
    until_places(&mut watch, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_stands_still_is_noticed_and_recovered_from() {
    let directory = TempDir::new("catalog-pause");
    let mut consul = Consul::start(&directory).await;
    let instance = Instance::new("web", 1);
    instance.register(&consul).await;
    let mut options = options(consul.address());
    options.wait = Duration::from_secs(1);
    options.client.request_timeout = Duration::from_secs(1);
    let source = connect(options);
    let mut watch = follow(&source, "web");
    until_places(&mut watch, &[instance.at()]).await;
    consul.pause().await;
    let error = until_failed(&mut watch, &[instance.at()]).await;
    assert!(error.message.contains("has not answered"), "{error:?}");
    consul.resume();
    instance.clone().status("critical").register(&consul).await;
    let told = next(&mut watch).await;
    assert!(matches!(told, biplane_source::Listing::Complete(_)), "{told:?}");
}
