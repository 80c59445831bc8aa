//! A directory of resources that is not what it was: what is mounted there goes and comes back, and a tree is
//! replaced by a smaller one. Nothing goes that nobody meant to go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use biplane_testkit::{Biplane, biplane, throughout};

use crate::etcd::served::{command, held_of};
use crate::etcd::world::World;
use crate::harness::resources::{documents, gateway};
use crate::harness::{Bootstrap, CALM, PATIENCE, Site, Tree, status};

/// The objects of a world, as documents.
fn objects(world: &World) -> String {
    let objects: Vec<_> = world.entries().into_iter().map(|(_, value)| value).collect();
    documents(&objects)
}

async fn served(world: &World) -> Site {
    let tree = Tree::with(&[]);
    tree.files.write("hosts.yaml", &objects(world));
    let options = biplane::Options::files(tree.files.root()).arguments(["--admin-anonymous-write=on"]);
    let biplane = Biplane::start_with(options, &tree.directory).await;
    let site = tree.site_on(biplane, Bootstrap::default()).await;
    world.live(&[site.port], PATIENCE).await;
    site
}

/// What is shown stays, and Envoy is told of nothing, while the source is in this state.
async fn stays(site: &Site, world: &World, state: &str) {
    status::until(&site.biplane, &format!("a source that is {state}"), |status| {
        status["sources"][0]["state"] == state
    })
    .await;
    throughout("the world as it was", CALM, async || world.check(site.port).await).await;
}

/// A root that is there by being mounted. Who may not mount moves the directory away and back instead.
struct Mounted {
    root: PathBuf,
    away: PathBuf,
    really: bool,
}

impl Mounted {
    fn new(tree: &Tree) -> Self {
        let (root, away) = (tree.files.root().to_owned(), tree.directory.join("away"));
        fs::create_dir_all(&root).expect("the test's directory is writable");
        let really = mount(&root);
        Self { root, away, really }
    }

    fn goes(&self) {
        if self.really {
            assert!(unmount(&self.root), "it is mounted");
        } else {
            fs::rename(&self.root, &self.away).expect("on one file system");
        }
    }

    fn is_back(&self) {
        if self.really {
            assert!(mount(&self.root), "it could be mounted before");
        } else {
            fs::rename(&self.away, &self.root).expect("on one file system");
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.root.join(name), text).expect("it is ours");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.really {
            unmount(&self.root);
        }
    }
}

fn mount(root: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(root).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

/// Lazily: Biplane may just be reading there.
fn unmount(root: &Path) -> bool {
    let mut unmount = Command::new("umount");
    unmount.arg("--lazy").arg(root).stderr(Stdio::null());
    unmount.status().is_ok_and(|status| status.success())
}

#[tokio::test]
async fn what_is_unmounted_stays_in_use_and_what_is_mounted_again_is_followed() {
    let (mut world, tree) = (World::new(20), Tree::new());
    let mounted = Mounted::new(&tree);
    mounted.write("gateway.yaml", &gateway(tree.port));
    mounted.write("hosts.yaml", &objects(&world));
    let biplane = Biplane::start(&mounted.root, &tree.directory).await;
    let site = tree.site_on(biplane, Bootstrap::default()).await;
    world.live(&[site.port], PATIENCE).await;
    let (counts, load) = (site.counts().await, world.load(site.port));
    mounted.goes();
    stays(&site, &world, "failed").await;

    // What is mounted is empty at first, and is filled by and by.
    mounted.is_back();
    world.edit([3]);
    mounted.write("gateway.yaml", &gateway(site.port));
    mounted.write("hosts.yaml", &objects(&world));
    world.live(&[site.port], PATIENCE).await;
    stays(&site, &world, "complete").await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts);
}

#[tokio::test]
async fn tree_that_is_replaced_by_an_empty_one_stays_in_use_until_it_is_accepted() {
    let world = World::new(20);
    let site = served(&world).await;
    let (counts, load) = (site.counts().await, world.load(site.port));
    let (root, away) = (site.files.root().to_owned(), site.directory.join("away"));
    fs::rename(&root, &away).expect("on one file system");
    fs::create_dir(&root).expect("it was there before");
    stays(&site, &world, "suspect").await;
    let check = command(&site.biplane, &["check"]).await;
    assert!(check.code == 8 && check.stdout.contains("biplane source accept"), "{check:?}");

    fs::remove_dir(&root).expect("it is empty");
    fs::rename(&away, &root).expect("on one file system");
    stays(&site, &world, "complete").await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts);
}

#[tokio::test]
async fn most_of_a_tree_that_goes_is_held_while_edits_flow_until_it_is_accepted() {
    let mut world = World::new(20);
    let site = served(&world).await;
    let (counts, load) = (site.counts().await, world.load(site.port));
    let before = world.remember();
    world.remove(5..20);
    world.edit([1]);
    let after = world.remember();
    site.files.write("hosts.yaml", &objects(&world));
    let mut shown = before;
    shown.insert(1, 2);
    world.go_back(shown);
    world.live(&[site.port], PATIENCE).await;
    let status = status::until(&site.biplane, "15 that are held", |status| held_of(status).len() == 15).await;
    assert_eq!(status["sources"][0]["state"], "suspect", "{status:#}");
    stays(&site, &world, "suspect").await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts);

    let accept = command(&site.biplane, &["source", "accept", "--yes"]).await;
    assert_eq!(accept.code, 0, "{accept:?}");
    world.go_back(after);
    world.live(&[site.port], PATIENCE).await;
    status::until(&site.biplane, "a complete source", |status| status["sources"][0]["state"] == "complete")
        .await;
}

#[tokio::test]
async fn ten_thousand_events_at_once_lose_no_edit() {
    let mut world = World::new(20);
    let site = served(&world).await;
    let (counts, load) = (site.counts().await, world.load(site.port));
    // More than a queue of inotify holds by default, in files that are none of Biplane's and in one that is.
    for number in 0..10_000 {
        fs::write(site.files.path(format!("noise-{number}.txt")), "noise").expect("it is ours");
    }
    world.edit([7]);
    site.files.write("hosts.yaml", &objects(&world));
    for number in 0..10_000 {
        fs::remove_file(site.files.path(format!("noise-{number}.txt"))).expect("it is ours");
    }
    world.live(&[site.port], PATIENCE).await;
    status::until(&site.biplane, "a complete source", |status| {
        status["sources"][0]["state"] == "complete" && status::list(status, "reports").is_empty()
    })
    .await;
    load.stop().assert_clean();
    assert_eq!(site.counts().await, counts);
}
