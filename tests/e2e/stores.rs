//! A store that cannot be read is not an empty one (I1), and nobody is answered before it was read (I2).

use anyhow::ensure;
use biplane_testkit::{Envoy, Request, throughout};

use crate::harness::resources::{route_answering, service};
use crate::harness::{Bootstrap, CALM, HOST, PATIENCE, Site, Tree, status};

fn state(status: &serde_json::Value) -> &str {
    status["sources"][0]["state"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn root_that_vanishes_changes_nothing_and_one_that_returns_is_followed_again() {
    let site = Site::start(&[service("main", &route_answering("/", "first"))]).await;
    let before = site.counts().await;
    let load = site.load();
    let (root, away) = (site.files.root().to_owned(), site.directory.join("away"));
    std::fs::rename(&root, &away).expect("on one file system");
    status::until(&site.biplane, "a failed source", |status| state(status) == "failed").await;
    throughout("the old answer", CALM, async || {
        let answer = Request::get(HOST, "/").send(site.port).await?;
        ensure!(answer.text() == "first", "{} {}", answer.status, answer.text());
        Ok(())
    })
    .await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, before);
    assert!(
        site.biplane.get("/ready").await.is_ok_and(|answer| answer.status == 200),
        "it serves, so it is ready"
    );

    std::fs::rename(&away, &root).expect("on one file system");
    status::until(&site.biplane, "a complete source", |status| state(status) == "complete").await;
    site.replace(&[service("main", &route_answering("/", "second"))]);
    site.until_body("/", "second").await;
}

#[tokio::test]
async fn root_without_permission_changes_nothing() {
    // Root may read everything; so the directory is replaced by what nobody can list.
    let site = Site::start(&[service("main", &route_answering("/", "first"))]).await;
    let (root, away) = (site.files.root().to_owned(), site.directory.join("away"));
    std::fs::rename(&root, &away).expect("on one file system");
    std::os::unix::fs::symlink("no-such-directory", &root).expect("the test's directory is writable");
    status::until(&site.biplane, "a failed source", |status| state(status) == "failed").await;
    assert_eq!(site.get("/").await.text(), "first");
}

#[tokio::test]
async fn no_envoy_gets_an_answer_before_the_store_was_read() {
    let tree = Tree::with(&[service("main", &route_answering("/", "main"))]);
    let away = tree.directory.join("away");
    std::fs::rename(tree.files.root(), &away).expect("on one file system");
    let biplane = tree.biplane().await;
    let bootstrap = biplane.bootstrap(&Bootstrap::default().fleet, "early-1");
    let mut envoy = Envoy::start(&bootstrap, &tree.directory).await;
    biplane_testkit::eventually("a connection", PATIENCE, async || {
        let connected = envoy.stat("control_plane.connected_state").await?;
        ensure!(connected == 1, "not yet");
        Ok(())
    })
    .await;
    throughout("an Envoy that waits", CALM, async || {
        let counter = envoy.stat("cluster_manager.cds.update_success").await?;
        ensure!(counter == 0, "it was told that there is nothing");
        Ok(())
    })
    .await;
    assert_eq!(biplane.get("/ready").await.expect("an answer").status, 503);
    assert_eq!(biplane.get("/live").await.expect("an answer").status, 200);

    std::fs::rename(&away, tree.files.root()).expect("on one file system");
    envoy.ready().await;
    biplane_testkit::eventually("an answer", PATIENCE, async || {
        let answer = envoy.get(tree.port, HOST, "/").await?;
        ensure!(answer.text() == "main", "{}", answer.status);
        Ok(())
    })
    .await;
    assert_eq!(biplane.get("/ready").await.expect("an answer").status, 200);
}

#[tokio::test]
async fn empty_root_is_known_to_be_empty() {
    let tree = Tree::new();
    let biplane = tree.biplane().await;
    let envoy = crate::harness::envoy(&biplane, &Bootstrap::default(), &tree.directory).await;
    assert_eq!(envoy.stat("listener_manager.total_listeners_active").await.expect("a gauge"), 0);
    tree.files.write("gateway.yaml", &crate::harness::resources::gateway(tree.port));
    crate::harness::ports_open(&[tree.port]).await;
}
