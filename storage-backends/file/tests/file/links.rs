//! Directories that come and go, and the links by which releases and Kubernetes-style volumes are
//! switched: always in one step, never half.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use biplane_store::conformance::{Follower, key};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::harness::{Files, open, publishes, service, settle, told_of};

/// Points a link elsewhere in one step, as `ln -sfn` and deployment tools do.
fn swing(link: &Path, target: &str) {
    let beside = link.with_file_name(".swing");
    symlink(target, &beside).expect("link");
    fs::rename(beside, link).expect("rename");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_is_switched_by_its_data_link_is_one_publish() {
    let files = Files::new();
    for (version, note) in [("..v1", "old"), ("..v2", "new")] {
        files.save(&format!("{version}/a.yaml"), service("a", note));
        files.save(&format!("{version}/b.yaml"), service("b", note));
    }
    symlink("..v1", files.at("..data")).expect("link");
    symlink("..data/a.yaml", files.at("a.yaml")).expect("link");
    symlink("..data/b.yaml", files.at("b.yaml")).expect("link");
    let mut follower = files.follow().await;
    assert_eq!(follower.objects.len(), 2, "what is hidden counts only through the links");
    swing(&files.at("..data"), "..v2");
    fs::remove_dir_all(files.at("..v1")).expect("remove");
    settle(&files, &mut follower).await;
    assert_eq!(publishes(&follower), 1, "{:?}", follower.told);
    assert!(follower.has_note(&key("a"), "new") && follower.has_note(&key("b"), "new"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_a_link_to_a_release_follows_it_in_one_publish() {
    let files = Files::new();
    files.save("release-41/a.yaml", service("a", "old"));
    files.save("release-41/gone.yaml", service("gone", "old"));
    files.save("release-42/deep/a.yaml", service("a", "new"));
    symlink("release-41", files.at("current")).expect("link");
    let store = open(&files.at("current"));
    let mut follower = Follower::start(&store).await;
    swing(&files.at("current"), "release-42");
    follower.until_note(&key("a"), "new").await;
    assert_eq!(follower.told.len(), 1, "{:?}", follower.told);
    assert!(!follower.objects.contains_key(&key("gone")));
    files.save("release-42/deep/b.yaml", service("b", "1"));
    follower.until_note(&key("b"), "1").await;
    files.save("release-41/a.yaml", service("a", "too late"));
    files.save("release-42/c.yaml", service("c", "1"));
    follower.until_note(&key("c"), "1").await;
    assert!(follower.has_note(&key("a"), "new"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_link_inside_the_root_is_followed_and_switched() {
    let files = Files::new();
    fs::create_dir(files.aside("one")).expect("create");
    fs::create_dir(files.aside("two")).expect("create");
    fs::write(files.aside("one/a.yaml"), service("a", "old")).expect("write");
    fs::write(files.aside("two/a.yaml"), service("a", "new")).expect("write");
    let target = |name: &str| files.aside(name).to_str().expect("text").to_owned();
    swing(&files.at("team"), &target("one"));
    let mut follower = files.follow().await;
    swing(&files.at("team"), &target("two"));
    settle(&files, &mut follower).await;
    assert_eq!(publishes(&follower), 1, "{:?}", follower.told);
    assert!(follower.has_note(&key("a"), "new"));
    fs::write(files.aside("two/b.yaml"), service("b", "1")).expect("write");
    follower.until_note(&key("b"), "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_behind_a_link_to_a_file_of_any_name_is_seen() {
    let files = Files::new();
    fs::write(files.aside("real.conf"), service("a", "old")).expect("write");
    symlink(files.aside("real.conf"), files.at("a.yaml")).expect("link");
    let mut follower = files.follow().await;
    fs::write(files.aside("real.conf"), service("a", "new")).expect("write");
    follower.until_note(&key("a"), "new").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dangling_link_leads_to_is_seen_when_it_comes() {
    let files = Files::new();
    symlink(files.aside("later"), files.at("team")).expect("link");
    let mut follower = files.follow().await;
    fs::create_dir(files.aside("building")).expect("create");
    fs::write(files.aside("building/a.yaml"), service("a", "1")).expect("write");
    fs::rename(files.aside("building"), files.aside("later")).expect("rename");
    follower.until_note(&key("a"), "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_behind_a_link_that_leads_there_no_more_is_not_read() {
    let files = Files::new();
    fs::create_dir_all(files.aside("team/sub")).expect("create");
    symlink(files.aside("team"), files.at("hop")).expect("link");
    symlink("hop", files.at("team")).expect("link");
    let mut follower = files.follow().await;
    fs::remove_file(files.at("hop")).expect("remove");
    fs::write(files.aside("team/sub/a.yaml"), service("a", "1")).expect("write");
    settle(&files, &mut follower).await;
    assert_eq!(told_of(&follower, "a"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_targets_directory_moves_is_looked_at_again() {
    let files = Files::new();
    files.save(".versions/one/deep/a.yaml", service("a", "old"));
    files.save(".versions/two/deep/a.yaml", service("a", "new"));
    symlink(".versions/one/deep/a.yaml", files.at("a.yaml")).expect("link");
    symlink(".versions", files.at("versions")).expect("link");
    let mut follower = files.follow().await;
    let (one, two) = (files.at(".versions/one"), files.at(".versions/two"));
    renameat_with(CWD, &one, CWD, &two, RenameFlags::EXCHANGE).expect("exchange");
    follower.until_note(&key("a"), "new").await;
    settle(&files, &mut follower).await;
    assert!(follower.has_note(&key("a"), "new"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_swapped_far_behind_a_link_is_noticed_without_an_event() {
    let files = Files::new();
    for (release, note) in [("one", "old"), ("two", "new")] {
        fs::create_dir_all(files.aside(&format!("{release}/deep/team"))).expect("create");
        for name in ["team/a", "b"] {
            let content = service(name.trim_start_matches("team/"), note);
            fs::write(files.aside(&format!("{release}/deep/{name}.yaml")), content).expect("write");
        }
    }
    symlink(files.aside("one/deep/team"), files.at("team")).expect("link");
    symlink(files.aside("one/deep/b.yaml"), files.at("b.yaml")).expect("link");
    let mut follower = files.follow().await;
    renameat_with(CWD, files.aside("one"), CWD, files.aside("two"), RenameFlags::EXCHANGE).expect("exchange");
    follower.until_note(&key("a"), "new").await;
    follower.until_note(&key("b"), "new").await;
    fs::write(files.aside("one/deep/team/c.yaml"), service("c", "1")).expect("write");
    follower.until_note(&key("c"), "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_lead_back_are_not_followed_for_ever() {
    let files = Files::new();
    files.save("sub/a.yaml", service("a", "1"));
    symlink("..", files.at("sub/up")).expect("link");
    symlink(".", files.at("self")).expect("link");
    symlink("loop", files.at("loop")).expect("link");
    let listing = files.store.list().await.expect("the root is there");
    assert_eq!(listing.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_directories_that_change_places_are_one_publish() {
    let files = Files::new();
    files.save("live/a.yaml", service("a", "old"));
    files.save("live/b.yaml", service("b", "old"));
    fs::create_dir(files.aside("next")).expect("create");
    fs::write(files.aside("next/a.yaml"), service("a", "new")).expect("write");
    let mut follower = files.follow().await;
    renameat_with(CWD, files.at("live"), CWD, files.aside("next"), RenameFlags::EXCHANGE).expect("exchange");
    settle(&files, &mut follower).await;
    assert_eq!(publishes(&follower), 1, "{:?}", follower.told);
    assert_eq!(told_of(&follower, "b"), [None]);
    files.save("live/c.yaml", service("c", "1"));
    follower.until_note(&key("c"), "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_directories_are_read_however_quickly_they_fill() {
    let files = Files::new();
    let mut follower = files.follow().await;
    for n in 0..20 {
        let name = format!("d{n}");
        fs::create_dir_all(files.at(&format!("{name}/x/y"))).expect("create");
        fs::write(files.at(&format!("{name}/x/y/a.yaml")), service(&name, "1")).expect("write");
    }
    follower.until("all of them", |seen| seen.objects.len() == 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_removed_moved_out_or_hidden_takes_its_objects_along() {
    let files = Files::new();
    for name in ["removed", "moved", "hidden", "renamed"] {
        files.save(&format!("{name}/deep/a.yaml"), service(name, "1"));
    }
    let mut follower = files.follow().await;
    fs::remove_dir_all(files.at("removed")).expect("remove");
    fs::rename(files.at("moved"), files.aside("moved")).expect("rename");
    fs::rename(files.at("hidden"), files.at(".hidden")).expect("rename");
    fs::rename(files.at("renamed"), files.at("other")).expect("rename");
    follower.until("three to go", |seen| seen.objects.len() == 1).await;
    assert_eq!(follower.objects[&key("renamed")].location.to_string(), "other/deep/a.yaml:1");
    fs::write(files.at("other/deep/a.yaml"), service("renamed", "2")).expect("write");
    follower.until_note(&key("renamed"), "\"2\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_one_file_is_followed_through_saves() {
    let files = Files::new();
    files.save("only.conf", service("a", "old"));
    files.save("beside.yaml", service("b", "1"));
    let store = open(&files.at("only.conf"));
    let mut follower = Follower::start(&store).await;
    assert_eq!(follower.objects[&key("a")].location.to_string(), "only.conf:1");
    assert_eq!(follower.objects.len(), 1);
    files.save("only.conf", service("a", "new"));
    follower.until_note(&key("a"), "new").await;
    fs::remove_file(files.at("only.conf")).expect("remove");
    assert_eq!(follower.until_end().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_takes_a_files_name_is_a_directory() {
    let files = Files::new();
    files.save("a.yaml", service("a", "1"));
    let mut follower = files.follow().await;
    fs::remove_file(files.at("a.yaml")).expect("remove");
    files.save("a.yaml/b.yaml", service("b", "1"));
    follower.until("b alone", |seen| seen.objects.keys().eq([&key("b")])).await;
    fs::remove_dir_all(files.at("a.yaml")).expect("remove");
    files.save("a.yaml", service("a", "2"));
    follower.until("a alone", |seen| seen.objects.keys().eq([&key("a")])).await;
}
