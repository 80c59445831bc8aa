//! Rules that need the world to be one that a test cannot make: no events, and file systems that come and go.

use std::fs;

use biplane_source::Listing;
use tempfile::TempDir;
use tokio::time::Instant;

use super::super::slot::PUT_OFF_MAX;
use super::*;
use crate::interest::Interest;

struct World {
    root: PathBuf,
    inbox: Arc<Inbox>,
    register: Register,
    _directory: TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path().canonicalize().expect("it exists").join("root");
        fs::create_dir_all(root.join("web")).expect("create");
        let inbox = Arc::new(Inbox::new(Interest::Values));
        let state = watch::Sender::new(SourceState::waiting("files", false, Instant::now()));
        let register = Register::new(root.clone(), inbox.clone(), Arc::new(state));
        Self { root, inbox, register, _directory: directory }
    }

    fn write(&self, value: &str) {
        let file = self.root.join("web/password");
        fs::write(&file, value).expect("write");
    }

    fn begin(&mut self) -> watch::Receiver<Told> {
        self.register.begin(Path::new("web"))
    }

    /// As if each directory were now on a device other than when it was last read.
    fn remount(&mut self) {
        for slot in self.register.slots.values_mut() {
            slot.held_on = slot.held_on.map(|device| device + 1);
        }
    }
}

fn value(told: &Told) -> String {
    let Listing::Complete(Some(secret)) = told else { panic!("it is there, and this was told: {told:?}") };
    String::from_utf8(secret.fields["password"].to_vec()).expect("text")
}

#[test]
fn without_events_what_has_only_just_changed_may_be_half_and_is_put_off() {
    let mut world = World::new();
    world.write("old");
    let mut told = world.begin();
    world.inbox.go_deaf("a test");
    world.write("new");
    world.register.advance();
    assert_eq!(value(&told.borrow_and_update()), "old");
    assert!(world.register.is_uneasy());
    (0..PUT_OFF_MAX).for_each(|_| world.register.advance());
    assert_eq!(value(&told.borrow_and_update()), "new");
    assert!(!world.register.is_uneasy());
}

#[test]
fn a_directory_that_has_become_a_bare_mount_point_is_failed_and_not_absent() {
    let mut world = World::new();
    world.write("old");
    let mut told = world.begin();
    fs::remove_file(world.root.join("web/password")).expect("remove");
    world.remount();
    world.register.refresh(Path::new("web"));
    let failed = told.borrow_and_update().clone();
    let hint = |error: &SourceError| error.hint.as_ref().is_some_and(|hint| hint.contains("mounted"));
    assert!(matches!(&failed, Listing::Failed(error) if hint(error)), "{failed:?}");
    let read = world.register.read(Path::new("web"));
    assert!(read.as_ref().is_err_and(hint), "{read:?}");
    world.write("new");
    (0..=PUT_OFF_MAX).for_each(|_| world.register.refresh(Path::new("web")));
    assert_eq!(value(&told.borrow_and_update()), "new");
}

#[test]
fn what_nobody_watches_any_more_is_forgotten_and_so_are_its_events() {
    let mut world = World::new();
    world.write("old");
    let (one, other) = (world.begin(), world.begin());
    drop(one);
    world.register.forget_unwatched();
    assert_eq!(world.register.len(), 1);
    assert!(!world.register.reach.watched().is_empty());
    drop(other);
    world.register.forget_unwatched();
    assert_eq!(world.register.len(), 0);
    assert_eq!(world.register.reach.watched(), BTreeSet::new());
}

#[test]
fn one_event_leads_to_the_secrets_that_it_is_about_and_no_others() {
    let mut world = World::new();
    world.write("old");
    fs::create_dir(world.root.join("api")).expect("create");
    let _web = world.begin();
    let _api = world.register.begin(Path::new("api"));
    let _whole = world.register.begin(Path::new(""));
    let about = |world: &mut World, path: &str| {
        let paths = BTreeSet::from([world.root.join(path)]);
        world.register.told_of(&Batch { paths, ..Batch::default() })
    };
    let slots = |names: &[&str]| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
    assert_eq!(about(&mut world, "web/password"), slots(&["@web"]));
    assert_eq!(about(&mut world, "api"), slots(&["@", "@api"]));
    assert_eq!(about(&mut world, "token"), slots(&["@"]));
}
