//! Stored values: at any mount and path, in both versions of the engine, and in Gloo's own layout.

use std::time::Duration;

use biplane_core::key::ResourceRef;
use biplane_source::{Cause, Listing, SecretRequest, SecretSource as _};
use biplane_testkit::Request;
use biplane_testkit::bao::ROOT_TOKEN;
use serde_json::json;

use crate::harness::{Reader, World, connect, kv, kv_version, shown, told, unique, value};

#[tokio::test]
async fn a_secret_is_read_at_any_mount_and_path_in_both_versions() {
    let world = World::new().await;
    let source = world.source();
    for version in [1, 2] {
        let mount = format!("{}/deep er", unique("team"));
        world.root().mount_kv(&mount, version).await.expect("an engine");
        let store = if version == 1 { world.root().kv1(&mount) } else { world.root().kv2(&mount) };
        for path in ["a", "a/b c/d#e", "100%25", "ä/ß", "data/x", "a/data/metadata"] {
            store.write(path, &json!({ "user": path })).await.expect("a write");
            let found = source.read(&kv(&mount, path)).await;
            assert_eq!(value(&found, "user"), path, "version {version}");
            let found =
                source.read(&kv_version(&format!("/{mount}/"), &format!("/{path}"), version.into())).await;
            assert_eq!(value(&found, "user"), path, "version {version}, which was said");
        }
    }
}

/// The hand takes a `?` for the start of a query.
#[tokio::test]
async fn a_question_mark_in_a_path_is_no_query() {
    let world = World::new().await;
    let (mount, _) = world.kv(2).await;
    let body = json!({ "data": { "user": "ann" } }).to_string();
    let target = format!("/v1/{mount}/data/who%3Fme=1&you");
    let write = Request::post("localhost", &target, body).header("x-vault-token", ROOT_TOKEN);
    assert_eq!(write.send_to(world.root_address()).await.expect("an answer").status, 200);
    assert_eq!(value(&world.source().read(&kv(&mount, "who?me=1&you")).await, "user"), "ann");
}

#[tokio::test]
async fn text_is_given_as_it_is_and_anything_else_as_json() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    let stored =
        json!({ "pem": "-----BEGIN\n\"x\"\n", "port": 443, "list": ["a", { "b": null }], "on": true });
    store.write("a", &stored).await.expect("a write");
    let secret = world.source().read(&kv(&mount, "a")).await.expect("it can be read").expect("it is there");
    let values = shown(&secret);
    assert_eq!(values["pem"], "-----BEGIN\n\"x\"\n");
    assert_eq!((&*values["port"], &*values["list"], &*values["on"]), ("443", r#"["a",{"b":null}]"#, "true"));
    assert_eq!(secret.version, Some(1));
}

#[tokio::test]
async fn a_path_that_would_lead_elsewhere_is_refused() {
    let world = World::new().await;
    for path in ["", "..", "a/../b", "a/./b", "a//b", "a\nb"] {
        let error = world.source().read(&kv("secret", path)).await.expect_err(path);
        assert_eq!(error.cause, Cause::Invalid, "{path:?}: {error:?}");
        assert!(error.hint.is_some() && !error.message.contains('\n'), "{error:?}");
    }
    let error = world.source().read(&kv_version("secret", "a", 3)).await.expect_err("no such version");
    assert!(told(&error).contains("version: 1 or 2"), "{error:?}");
}

#[tokio::test]
async fn a_whole_object_in_gloos_layout_is_given_field_by_field_as_json() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    let object = json!({
        "metadata": { "name": "web", "namespace": "gloo-system" },
        "tls": { "certChain": "chain\n", "privateKey": "key\n" },
        "kind": "text",
    });
    store.write("root/gloo.solo.io/v1/Secret/gloo-system/web", &object).await.expect("a write");
    let mut options = world.options();
    options.kv_mount = mount;
    options.gloo_root = Some("root".into());
    let source = connect(options);
    let request = SecretRequest::Object(ResourceRef { namespace: "gloo-system".into(), name: "web".into() });
    let secret = source.read(&request).await.expect("it can be read").expect("it is there");
    let values = shown(&secret);
    assert_eq!(values["tls"], r#"{"certChain":"chain\n","privateKey":"key\n"}"#);
    assert_eq!(values["kind"], r#""text""#);
    assert!(source.has_objects() && !world.source().has_objects());
    let error = world.source().read(&request).await.expect_err("a source without objects");
    assert!(told(&error).contains("layout=gloo"), "{error:?}");
}

#[tokio::test]
async fn a_version_that_is_deleted_undeleted_destroyed_or_purged_is_told() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = world.source();
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    assert_eq!(reader.values().await["n"], "1");
    store.delete("a").await.expect("a deletion");
    assert_eq!(reader.next().await, Listing::Complete(None));
    store.undelete("a", 1).await.expect("it comes back");
    assert_eq!(reader.values().await["n"], "1");
    store.write("a", &json!({ "n": "2" })).await.expect("a write");
    assert_eq!(reader.values().await["n"], "2");
    store.destroy("a", 2).await.expect("its end");
    assert_eq!(reader.next().await, Listing::Complete(None));
    store.write("a", &json!({ "n": "3" })).await.expect("a write");
    assert_eq!(reader.secret().await.version, Some(3));
    store.purge("a").await.expect("its end");
    assert_eq!(reader.next().await, Listing::Complete(None));
    // It counts from 1 again, and is no answer of a replica that is behind.
    store.write("a", &json!({ "n": "4" })).await.expect("a write");
    let secret = reader.secret().await;
    assert_eq!((shown(&secret)["n"].as_str(), secret.version), ("4", Some(1)));
}

#[tokio::test]
async fn a_secret_that_is_watched_costs_one_small_request_a_period() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = world.source();
    let mut reader = Reader::new(&source, &kv(&mount, "a"));
    reader.values().await;
    assert_eq!(world.requests(&format!("ui/mounts/{mount}")), 1);
    for _ in 0..3 {
        source.refresh();
        reader.silence(Duration::from_millis(300)).await;
    }
    assert_eq!(world.requests(&format!("{mount}/data/a")), 1, "the values are asked for once");
    assert!((3..=5).contains(&world.requests(&format!("{mount}/metadata/a"))));
    let mut another = Reader::new(&source, &kv(&mount, "b"));
    assert_eq!(another.next().await, Listing::Complete(None));
    store.write("a", &json!({ "n": "2" })).await.expect("a write");
    assert_eq!(reader.values().await["n"], "2");
    assert_eq!(world.requests(&format!("{mount}/data/a")), 2);
}

#[tokio::test]
async fn an_engine_that_becomes_one_of_another_version_is_found_out() {
    let world = World::new().await;
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let source = world.source();
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "1");
    world.root().unmount(&mount).await.expect("its end");
    world.root().mount_kv(&mount, 1).await.expect("an engine");
    world.root().kv1(&mount).write("a", &json!({ "n": "2" })).await.expect("a write");
    assert_eq!(value(&source.read(&kv(&mount, "a")).await, "n"), "2");
}
