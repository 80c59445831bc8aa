//! What becomes of secrets in the course of time.

use super::*;
use crate::status::timestamp;

#[tokio::test(start_paused = true)]
async fn new_root_goes_out_first_and_the_old_one_last() {
    let (old, new) = (authority("old"), authority("new"));
    let (before, after) = (issued(&old), issued(&new));
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(before.clone())));
    world.tell(Listing::Complete(Some(after.clone())));
    assert_eq!((world.chain(), world.roots()), (Some(chain_of(&before)), 2));
    assert!(world.secrets.is_spreading());
    assert_eq!(world.secrets.take_stirred().len(), 1, "others of the source are read at once");
    world.now += Duration::from_secs(3);
    world.time(false);
    assert_eq!(world.chain(), Some(chain_of(&before)));
    world.time(true);
    assert_eq!((world.chain(), world.roots()), (Some(chain_of(&after)), 2));
    world.now = world.secrets.deadline(world.now).unwrap();
    world.time(true);
    assert_eq!((world.chain(), world.roots()), (Some(chain_of(&after)), 1));
    assert_eq!(world.secrets.deadline(world.now), None);
}

#[tokio::test(start_paused = true)]
async fn certificate_in_the_last_fifth_of_its_life_is_an_alarm() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(1940))));
    let said = world.said();
    assert!(said[0].contains("less than a fifth of its life left"), "{said:?}");
    assert!(world.secrets.next_alarm().unwrap() < timestamp(SystemTime::now()));
    world.secrets.sound_alarms(timestamp(SystemTime::now()));
    assert_eq!(world.secrets.next_alarm(), None, "it is said once");
    world.tell(Listing::Complete(Some(pair(2020))));
    assert_eq!(world.said(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn alarm_is_said_once_for_a_certificate_however_often_its_source_flaps() {
    let (mut world, old) = (World::of(IN_VAULT), pair(1940));
    let now = timestamp(world.wall);
    world.tell(Listing::Complete(Some(old.clone())));
    world.secrets.sound_alarms(now);
    for listing in [
        Listing::Failed(SourceError::new("it is sealed")),
        Listing::Complete(Some(old.clone())),
        Listing::Complete(None),
        Listing::Complete(Some(old.clone())),
    ] {
        world.tell(listing);
        assert_eq!(world.secrets.next_alarm(), None, "it was said");
    }
    world.name(false);
    world.name(true);
    world.tell(Listing::Complete(Some(old)));
    assert_eq!(world.secrets.next_alarm(), None, "it was said");
    world.tell(Listing::Complete(Some(pair(1941))));
    assert!(world.secrets.next_alarm().unwrap() < now, "another certificate");
}

#[tokio::test(start_paused = true)]
async fn alarm_of_a_secret_that_nothing_uses_is_said_when_something_does() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(1940))));
    world.name(false);
    world.secrets.sound_alarms(timestamp(world.wall));
    assert_eq!(world.secrets.next_alarm(), None);
    world.name(true);
    assert!(world.secrets.next_alarm().is_some());
}

/// Lets the clock on the wall go to the next moment that the secrets wait for.
fn until_next(world: &mut World) {
    let at = world.secrets.next_alarm().expect("something is waited for");
    world.wall = SystemTime::UNIX_EPOCH + Duration::from_secs(at.0.try_into().unwrap());
    world.time(false);
}

#[tokio::test(start_paused = true)]
async fn certificate_that_is_not_valid_yet_is_taken_when_its_time_comes_whatever_is_down() {
    let (good, early) = (pair(2000), pair(2040));
    let mut in_vault = World::of(IN_VAULT);
    in_vault.tell(Listing::Complete(Some(good.clone())));
    in_vault.tell(Listing::Complete(Some(early.clone())));
    let mut own = World::of(&inline(&good));
    own.edit(put(&inline(&early)));
    for world in [&mut in_vault, &mut own] {
        assert_eq!(world.chain(), Some(chain_of(&good)));
        assert!(world.said()[0].contains("not valid before 2040-01-01"), "{:?}", world.said());
    }
    in_vault.tell(Listing::Failed(SourceError::new("it is sealed")));
    for world in [&mut in_vault, &mut own] {
        until_next(world);
        assert_eq!(world.chain(), Some(chain_of(&early)));
        assert!(!world.said().join("").contains("not valid"), "{:?}", world.said());
    }
    in_vault.tell(Listing::Complete(Some(early.clone())));
    assert_eq!(in_vault.said(), Vec::<String>::new());
    assert_eq!(in_vault.restarted(IN_VAULT).chain(), Some(chain_of(&early)));
}

#[tokio::test(start_paused = true)]
async fn certificate_whose_time_is_to_come_is_forgotten_for_what_comes_after_it() {
    let (good, better) = (pair(2000), pair(2001));
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(good)));
    let alarm = world.secrets.next_alarm();
    world.tell(Listing::Complete(Some(pair(2040))));
    assert!(world.secrets.next_alarm() < alarm);
    world.tell(Listing::Complete(Some(better.clone())));
    until_next(&mut world);
    assert_eq!(world.chain(), Some(chain_of(&better)));
}

#[tokio::test(start_paused = true)]
async fn refresh_that_would_flood_a_source_is_a_second() {
    for (refresh, seconds) in [("1ms", 1), ("1s", 1), ("90s", 90)] {
        let world = World::of(&format!("vault: {{source: vault, kv: {{path: a}}, refresh: {refresh}}}\n"));
        let wanted = world.secrets.wanted().get(&name()).unwrap().0.clone();
        assert_eq!(wanted.place.refresh, Some(Duration::from_secs(seconds)), "{refresh}");
    }
}
