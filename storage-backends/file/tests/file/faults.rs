//! Bad days: what cannot be read keeps what it held, and says so.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use biplane_core::key::{Kind, ObjectKey};
use biplane_store::conformance::{Follower, key};
use biplane_store::{FaultKind, StoreError};

use crate::harness::{Files, documents, open, service, settle, told_of};

async fn one_fault(files: &Files, follower: &mut Follower) -> String {
    settle(files, follower).await;
    assert_eq!(follower.faults.len(), 1, "{:?}", follower.faults);
    follower.faults[0].to_string()
}

/// Replaces `a.yaml`, which holds `a`, by something; `a` must stay, and the fault is returned.
async fn kept_after(breaking: impl FnOnce(&Files)) -> String {
    let files = Files::new();
    files.save("a.yaml", service("a", "old"));
    let mut follower = files.follow().await;
    breaking(&files);
    let fault = one_fault(&files, &mut follower).await;
    assert!(follower.has_note(&key("a"), "old"), "{fault}");
    assert_eq!(told_of(&follower, "a"), [], "{fault}");
    assert!(follower.faults[0].may_hide(&follower.objects[&key("a")].location), "{fault}");
    files.save("a.yaml", service("a", "mended"));
    follower.until_note(&key("a"), "mended").await;
    assert_eq!(follower.faults, []);
    fault
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_cut_off_by_a_killed_writer_keeps_its_predecessor() {
    let fault = kept_after(|files| {
        let script = "printf 'kind: VirtualService\\nmetadata:\\n  na' > a.yaml; kill -9 $$";
        Command::new("sh").args(["-c", script]).current_dir(&files.root).status().expect("sh runs");
    });
    let fault = fault.await;
    assert!(fault.starts_with("a.yaml:"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_became_empty_keeps_its_objects_and_says_what_to_do() {
    let fault = kept_after(|files| drop(fs::File::create(files.at("a.yaml")).expect("create"))).await;
    assert_eq!(fault, "a.yaml:1: the file is empty (hint: if its objects are to go, remove the file)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_nothing_keeps_what_was_there() {
    let fault = kept_after(|files| {
        symlink("nowhere.yaml", files.aside("link")).expect("link");
        fs::rename(files.aside("link"), files.at("a.yaml")).expect("rename");
    });
    assert!(fault.await.contains("link to nothing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_is_never_waited_for() {
    let fault = kept_after(|files| {
        Command::new("mkfifo").arg(files.aside("pipe")).status().expect("mkfifo runs");
        fs::rename(files.aside("pipe"), files.at("a.yaml")).expect("rename");
    });
    assert!(fault.await.contains("not a regular file"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_text_says_on_which_line() {
    let fault = kept_after(|files| files.save("a.yaml", b"kind: x\nname: \xff\n")).await;
    assert!(fault.starts_with("a.yaml:2: the file is not UTF-8"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_over_the_limit_is_refused_unparsed() {
    let huge = service("a", &"x".repeat(600 * 1024));
    let fault = kept_after(|files| files.save("a.yaml", &huge)).await;
    assert!(fault.contains("more than the limit of 524288"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_over_the_limit_is_refused_unread() {
    let fault = kept_after(|files| {
        let sparse = fs::File::create(files.aside("sparse")).expect("create");
        sparse.set_len(33 * 1024 * 1024).expect("grow");
        fs::rename(files.aside("sparse"), files.at("a.yaml")).expect("rename");
    });
    assert!(fault.await.contains("the file has"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_document_does_not_cost_the_others_of_its_file() {
    let files = Files::new();
    files.save("a.yaml", documents(&[("a", "old"), ("b", "old"), ("c", "old")]));
    let mut follower = files.follow().await;
    let text =
        documents(&[("a", "new"), ("b", "new"), ("c", "new")]).replacen("name: \"b\"", "nmae: \"b\"", 1);
    files.save("a.yaml", text);
    let fault = one_fault(&files, &mut follower).await;
    assert!(fault.starts_with("a.yaml:"), "{fault}");
    assert!(follower.has_note(&key("a"), "new") && follower.has_note(&key("c"), "new"));
    assert!(follower.has_note(&key("b"), "old"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_document_of_a_key_is_reported_with_both_places() {
    let files = Files::new();
    files.save("b.yaml", documents(&[("other", "1"), ("same", "late")]));
    files.save("a.yaml", service("same", "early"));
    let listing = files.store.list().await.expect("the root is there");
    assert_eq!(listing.items.len(), 2);
    let fault = &listing.faults[0];
    assert_eq!((fault.kind, &fault.key), (FaultKind::Duplicate, &Some(key("same"))));
    let text = fault.to_string();
    assert!(
        text.starts_with("b.yaml:8: VirtualService default/same: ") && text.contains("a.yaml:1"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_absent_is_an_error_with_a_hint() {
    let files = Files::new();
    let error = open(&files.at("absent")).list().await.expect_err("nothing is there");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("absent cannot be read"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("create")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_a_file_and_cannot_be_read_is_failed_and_never_empty() {
    let breakings: [fn(&Files); 5] = [
        |files| fs::rename(files.at("only.yaml"), files.aside("away")).expect("rename"),
        |files| files.save("only.yaml", ""),
        |files| files.save("only.yaml", b"kind: \xff\n"),
        |files| {
            let sparse = fs::File::create(files.aside("sparse")).expect("create");
            sparse.set_len(33 * 1024 * 1024).expect("grow");
            fs::rename(files.aside("sparse"), files.at("only.yaml")).expect("rename");
        },
        |files| {
            Command::new("mkfifo").arg(files.aside("pipe")).status().expect("mkfifo runs");
            fs::rename(files.aside("pipe"), files.at("only.yaml")).expect("rename");
        },
    ];
    for breaking in breakings {
        let files = Files::new();
        files.save("only.yaml", service("a", "old"));
        let store = open(&files.at("only.yaml"));
        let mut follower = Follower::start(&store).await;
        breaking(&files);
        assert_eq!(follower.until_end().await, []);
        for store in [&store, &open(&files.at("only.yaml"))] {
            let error = store.list().await.expect_err("what it holds is unknown");
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
        files.save("only.yaml", service("a", "mended"));
        assert!(Follower::start(&store).await.has_note(&key("a"), "mended"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_vanishes_and_returns_is_failed_between() {
    let files = Files::new();
    files.save("a.yaml", service("a", "1"));
    let mut follower = files.follow().await;
    fs::rename(&files.root, files.aside("away")).expect("rename");
    assert_eq!(follower.until_end().await, []);
    files.store.list().await.expect_err("the root is away");
    fs::rename(files.aside("away"), &files.root).expect("rename");
    let mut follower = files.follow().await;
    assert!(follower.has_note(&key("a"), "1"));
    files.save("a.yaml", service("a", "2"));
    follower.until_note(&key("a"), "\"2\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_whose_parent_vanishes_is_noticed_without_an_event() {
    let files = Files::new();
    let deep = files.at("one/two");
    files.save("one/two/a.yaml", service("a", "1"));
    let store = open(&deep);
    let mut follower = Follower::start(&store).await;
    fs::rename(files.at("one"), files.aside("one")).expect("rename");
    assert_eq!(follower.until_end().await, []);
}

fn on_another_device(files: &Files) -> tempfile::TempDir {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        panic!("this rule needs a second file system at /dev/shm");
    };
    let device = |path: &Path| fs::metadata(path).expect("it exists").dev();
    assert_ne!(device(elsewhere.path()), device(&files.root), "this rule needs two file systems");
    elsewhere
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_system_that_vanishes_from_below_the_root_takes_nothing_along() {
    let files = Files::new();
    let elsewhere = on_another_device(&files);
    fs::write(elsewhere.path().join("README"), "nothing is mounted here").expect("write");
    let switch_to = |target: &Path| {
        symlink(target, files.aside("next")).expect("link");
        fs::rename(files.aside("next"), files.at("team")).expect("rename");
    };
    fs::create_dir(files.aside("mounted")).expect("create");
    fs::write(files.aside("mounted/a.yaml"), service("a", "old")).expect("write");
    switch_to(&files.aside("mounted"));
    let mut follower = files.follow().await;
    switch_to(elsewhere.path());
    let fault = one_fault(&files, &mut follower).await;
    assert!(fault.starts_with("team:1: this is now on another device"), "{fault}");
    assert!(follower.has_note(&key("a"), "old"));
    let listing = files.store.list().await.expect("the root is there");
    assert_eq!(listing.items.len(), 2, "a and the marker: {listing:?}");
    fs::write(files.aside("mounted/a.yaml"), service("a", "new")).expect("write");
    switch_to(&files.aside("mounted"));
    follower.until_note(&key("a"), "new").await;
    assert_eq!(follower.faults, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_mount_point_is_not_an_empty_store() {
    let files = Files::new();
    let elsewhere = on_another_device(&files);
    fs::write(elsewhere.path().join("README"), "nothing is mounted here").expect("write");
    files.save("real/a.yaml", service("a", "1"));
    let point = files.aside("mount");
    symlink(files.at("real"), &point).expect("link");
    let store = open(&point);
    let mut follower = Follower::start(&store).await;
    symlink(elsewhere.path(), files.aside("next")).expect("link");
    fs::rename(files.aside("next"), &point).expect("rename");
    assert_eq!(follower.until_end().await, []);
    let error = store.list().await.expect_err("nothing is mounted");
    assert!(error.hint().is_some_and(|hint| hint.contains("mounted")), "{error:?}");
    fs::write(elsewhere.path().join("b.yaml"), service("b", "1")).expect("write");
    let listing = store.list().await.expect("another file system with content is a store");
    assert_eq!(listing.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_was_made_anew_and_empty_is_known_empty() {
    let files = Files::new();
    files.save("a.yaml", service("a", "1"));
    files.store.list().await.expect("the root is there");
    fs::remove_dir_all(&files.root).expect("remove");
    fs::create_dir(&files.root).expect("create");
    assert_eq!(files.store.list().await.expect("the root is there").items, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_objects_than_the_limit_fail_the_store_and_not_the_process() {
    let files = Files::new();
    files.save("a.yaml", documents(&[("a", "1"), ("b", "1"), ("c", "1")]));
    let mut options = biplane_store_file::FileOptions::new(&files.root);
    options.limits.objects = 2;
    let store = biplane_store_file::FileStore::new(options).expect("a path");
    let error = biplane_store::Store::list(&store).await.expect_err("three are more than two");
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    files.save("a.yaml", documents(&[("a", "1"), ("b", "1")]));
    assert_eq!(biplane_store::Store::list(&store).await.expect("two are not").items.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gloos_layout_tells_kind_namespace_and_name() {
    let files = Files::new();
    files.save("upstreams/gloo-system/petstore.yaml", "static:\n  hosts: [{addr: petstore, port: 8080}]\n");
    files.save("virtualservices/gloo-system/x.yaml", "metadata:\n  name: written\nvirtualHost: {}\n");
    let listing = files.store.list().await.expect("the root is there");
    assert_eq!(listing.faults, []);
    let keys: Vec<_> = listing.items.into_iter().map(|object| object.key).collect();
    assert_eq!(
        keys,
        [
            ObjectKey::new(Kind::VirtualService, "gloo-system", "written"),
            ObjectKey::new(Kind::Upstream, "gloo-system", "petstore"),
        ]
    );
}
