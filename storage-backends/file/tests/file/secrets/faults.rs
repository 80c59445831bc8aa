//! Bad days: what cannot be read is failed and never absent, says why and what to do, and comes back by itself.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use biplane_source::{Cause, Listing, Phase, SecretRequest, SecretSource as _, SourceError};

use super::harness::{Follower, Secrets, open, until_state};

/// Breaks `web/password`; what is told, and that it is told again once mended.
async fn failed_after(breaking: impl FnOnce(&Secrets)) -> SourceError {
    let secrets = Secrets::new();
    secrets.write(&[("web/password", "old"), ("web/user", "me")]);
    let mut web = secrets.watch("web");
    web.expect(&[("password", "old"), ("user", "me")]).await;
    breaking(&secrets);
    let failure = web.failure().await;
    assert_eq!(secrets.read("web").await, Err(failure.clone()));
    assert!(failure.message.contains("web/password"), "{failure:?}");
    assert_eq!(secrets.source.state().borrow().phase, Phase::Complete, "the source itself is well");
    let beside = secrets.fresh();
    fs::write(&beside, "mended").expect("write");
    fs::rename(beside, secrets.at("web/password")).expect("rename");
    web.expect(&[("password", "mended"), ("user", "me")]).await;
    failure
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_nothing_is_failed() {
    let failure = failed_after(|secrets| secrets.swing(&secrets.at("web/password"), "nowhere"));
    assert!(failure.await.message.contains("link to nothing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_of_links_is_failed() {
    let failure = failed_after(|secrets| secrets.swing(&secrets.at("web/password"), "password"));
    assert!(failure.await.message.contains("symbolic links"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_became_empty_is_taken_for_a_write_that_failed() {
    let failure = failed_after(|secrets| drop(File::create(secrets.at("web/password")).expect("create")));
    assert!(failure.await.message.contains("is empty"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_over_the_limit_is_refused_unread() {
    let failure = failed_after(|secrets| {
        let sparse = File::create(secrets.at("web/password")).expect("create");
        sparse.set_len(1024 * 1024 + 1).expect("grow");
    });
    let failure = failure.await;
    assert!(failure.message.contains("1048577 bytes, more than the limit of 1048576"), "{failure}");
    assert_eq!(failure.cause, Cause::Invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_is_never_waited_for() {
    let failure = failed_after(|secrets| {
        let pipe = secrets.fresh();
        Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        fs::rename(pipe, secrets.at("web/password")).expect("rename");
    });
    assert!(failure.await.message.contains("not a regular file"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_read_is_denied() {
    // No mode keeps root from a file; this one the kernel lets nobody read.
    let failure = failed_after(|secrets| {
        secrets.swing(&secrets.at("web/password"), "/proc/sys/vm/drop_caches");
    });
    let failure = failure.await;
    assert!(failure.message.contains("Permission denied"), "{failure}");
    assert_eq!(failure.cause, Cause::Denied);
    assert!(failure.hint.expect("a hint").contains("user that Biplane runs as"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_on_the_way_where_a_directory_should_be_is_failed() {
    let secrets = Secrets::new();
    secrets.write(&[("web", "a file")]);
    let mut key = secrets.watch("web/key");
    assert!(key.failure().await.message.contains("web/key cannot be read"));
    fs::remove_file(secrets.at("web")).expect("remove");
    assert_eq!(key.next().await, Listing::Complete(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_a_link_to_nothing_is_failed_and_not_absent() {
    let secrets = Secrets::new();
    secrets.write(&[("real/key", "1")]);
    symlink("real", secrets.at("web")).expect("link");
    let mut web = secrets.watch("web");
    web.expect(&[("key", "1")]).await;
    fs::rename(secrets.at("real"), secrets.at("away")).expect("rename");
    assert!(web.failure().await.message.ends_with("web is a link to nothing"));
    fs::rename(secrets.at("away"), secrets.at("real")).expect("rename");
    web.expect(&[("key", "1")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_absent_is_failed_until_it_comes() {
    let secrets = Secrets::new();
    let source = open(&secrets.at("later/on"));
    let state = until_state(&source, |state| state.phase == Phase::Failed).await;
    assert!(state.last_error.expect("it failed").hint.expect("a hint").starts_with("create"));
    let mut web = Follower::of(&source, "web");
    assert!(web.failure().await.message.contains("later/on cannot be read"));
    secrets.write(&[("later/on/web/key", "1")]);
    web.expect(&[("key", "1")]).await;
    until_state(&source, |state| state.phase == Phase::Complete).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_a_file_is_failed() {
    let secrets = Secrets::new();
    secrets.write(&[("file", "no directory")]);
    let source = open(&secrets.at("file"));
    let failure = Follower::of(&source, "").failure().await;
    assert!(failure.message.ends_with("is no directory"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_became_a_bare_mount_point_is_failed_and_nothing_is_absent() {
    let secrets = Secrets::new();
    let elsewhere = tempfile::tempdir_in("/dev/shm").expect("this rule needs a second file system");
    secrets.write(&[("mounted/web/key", "1")]);
    let point = secrets.aside.join("point");
    symlink(secrets.at("mounted"), &point).expect("link");
    let source = open(&point);
    let mut web = Follower::of(&source, "web");
    web.expect(&[("key", "1")]).await;
    secrets.swing(&point, elsewhere.path());
    assert!(web.failure().await.hint.expect("a hint").contains("mounted"));
    until_state(&source, |state| state.phase == Phase::Failed).await;
    fs::create_dir(elsewhere.path().join("web")).expect("create");
    fs::write(elsewhere.path().join("web/key"), "2").expect("write");
    web.expect(&[("key", "2")]).await;
    until_state(&source, |state| state.phase == Phase::Complete).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leads_out_of_the_root_is_refused_unread() {
    let secrets = Secrets::new();
    fs::write(secrets.aside.join("key"), "not for you").expect("write");
    let absolute = secrets.aside.to_str().expect("text").to_owned();
    for path in ["../aside", "web/../../aside", absolute.as_str(), "..", "web\0"] {
        let error = secrets.read(path).await.expect_err(path);
        assert_eq!((error.cause, error.hint.is_some()), (Cause::Invalid, true), "{path}: {error:?}");
        assert_eq!(secrets.watch(path).failure().await, error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_files_than_one_secret_has_are_refused() {
    let secrets = Secrets::new();
    (0..300).for_each(|n| secrets.write(&[(&format!("many/{n}"), "x")]));
    let error = secrets.read("many").await.expect_err("these are too many");
    assert!(error.message.contains("more than 256 files"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_in_pem_that_is_cut_off_is_failed_and_its_content_never_told() {
    let secrets = Secrets::new();
    secrets.write(&[("web.pem", "-----BEGIN PRIVATE KEY-----\ncanary-key\n")]);
    let failure = secrets.watch("web.pem").failure().await;
    assert!(failure.message.contains("web.pem") && failure.message.contains("cut off"), "{failure}");
    assert!(!format!("{failure:?}").contains("canary"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_key_that_everybody_may_read_is_shown_by_status_until_it_is_not() {
    let secrets = Secrets::new();
    let key = "-----BEGIN PRIVATE KEY-----\nkey\n-----END PRIVATE KEY-----\n";
    secrets.write(&[("web/tls.key", key), ("web/password", "of no key")]);
    let chmod = |path: &str, mode| {
        fs::set_permissions(secrets.at(path), fs::Permissions::from_mode(mode)).expect("chmod");
    };
    let shown = |state: &biplane_source::SourceState| state.details.get("keysReadableByEverybody").cloned();
    chmod("web", 0o755);
    chmod("web/tls.key", 0o644);
    let mut web = secrets.watch("web");
    web.expect(&[("tls.key", key), ("password", "of no key")]).await;
    let state = until_state(&secrets.source, |state| shown(state).is_some()).await;
    assert_eq!(shown(&state), Some(secrets.at("web/tls.key").display().to_string()));
    chmod("web/tls.key", 0o600);
    let watching = tokio::spawn(async move { web.next().await });
    until_state(&secrets.source, |state| shown(state).is_none()).await;
    watching.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_kinds_of_requests_name_this_source_in_their_refusal() {
    let secrets = Secrets::new();
    let object = SecretRequest::Object(biplane_core::key::ResourceRef::new("default", "web"));
    let error = secrets.source.read(&object).await.expect_err("files hold no objects");
    assert!(error.message.starts_with("files is a source of files"), "{error}");
    assert!(!secrets.source.has_objects());
}
