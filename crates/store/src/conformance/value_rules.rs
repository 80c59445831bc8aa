//! The rules about what keys and values may be, and what is known of an object's past.

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::{Kind, ObjectKey};
use bytes::Bytes;

use super::hands::{follow, keys, list, object, value, write};
use super::{Harness, document, key};
use crate::object::FaultKind;

/// Names are compared, never interpreted, and values are bytes.
pub async fn odd_names_and_unicode_values_survive(harness: impl Harness) {
    let long = "n".repeat(200);
    let names = ["a.b.c", "a-b", "x--y", "0", long.as_str()];
    let note = "snowman \u{2603}, kanji \u{6f22}\u{5b57}, emoji \u{1f680}";
    let written: Vec<(ObjectKey, Bytes)> = names
        .iter()
        .flat_map(|name| {
            [Kind::VirtualService, Kind::RouteTable].map(|kind| ObjectKey::new(kind, "team-a", *name))
        })
        .map(|key| (key.clone(), document(&key, note)))
        .collect();
    let mut follower = follow(&harness).await;
    harness.write(written.clone()).await;
    follower.until("all of them", |seen| seen.objects.len() == written.len()).await;
    for (key, value) in written {
        let seen = &follower.objects[&key].value;
        assert_eq!(seen.trim_ascii(), value.trim_ascii(), "{key}");
    }
}

/// Objects near the size limit pass whole.
pub async fn large_values_survive(harness: impl Harness) {
    let large = document(&key("large"), &"x".repeat(400 * 1024));
    let mut follower = follow(&harness).await;
    harness.write(vec![(key("large"), large.clone())]).await;
    follower.until("the large one", |seen| seen.objects.contains_key(&key("large"))).await;
    assert_eq!(follower.objects[&key("large")].value.trim_ascii(), large.trim_ascii());
    assert_eq!(value(&list(&harness).await, &key("large")).trim_ascii(), large.trim_ascii());
}

/// What is a letter to people is a letter to the store: nothing is an escape, a wildcard or a separator but `/`.
pub async fn keys_with_odd_characters_survive(harness: impl Harness) {
    let names = [
        "UPPER_case",
        "per%cent",
        "per%2Fcent",
        "plus+equals=",
        "what?a&b",
        "hash#tag",
        "tilde~",
        "\u{fc}ml\u{e4}ut",
        "\u{6f22}\u{5b57}",
        "it's",
        "semi;colon:",
        "[b]{c}",
        "star*$",
        "at@",
        "-dash",
        ".dot",
        "_under",
        "<a>|b!",
    ];
    let written: Vec<_> = names
        .into_iter()
        .map(|name| ObjectKey::new(Kind::VirtualService, "Team%2F_a", name))
        .map(|key| (key.clone(), document(&key, "1")))
        .collect();
    let mut follower = follow(&harness).await;
    harness.write(written.clone()).await;
    follower.until("all of them", |seen| seen.objects.len() == written.len()).await;
    let listing = list(&harness).await;
    assert_eq!(listing.faults, []);
    for (key, text) in written {
        assert_eq!(value(&listing, &key).trim_ascii(), text.trim_ascii(), "{key}");
    }
}

/// A value that nobody would decode is told as such, hides what was there, and costs nobody else anything.
pub async fn a_value_over_the_limit_costs_only_itself(harness: impl Harness) {
    write(&harness, "a", "small").await;
    let mut follower = follow(&harness).await;
    if !harness.try_write(key("a"), document(&key("a"), &"x".repeat(MAX_OBJECT))).await {
        return;
    }
    write(&harness, "b", "1").await;
    follower.until_note(&key("b"), "1").await;
    follower.until("the fault", |seen| seen.faults.iter().any(|f| f.kind == FaultKind::TooLarge)).await;
    assert!(follower.has_note(&key("a"), "small"), "unknown is not gone: {:?}", follower.told);
    let listing = list(&harness).await;
    assert!(keys(&listing).contains(&key("b")), "{listing:?}");
    assert_eq!(listing.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::TooLarge]);
    write(&harness, "a", "again").await;
    follower.until_note(&key("a"), "again").await;
    follower.until("no fault", |seen| seen.faults.is_empty()).await;
}

/// An object that went and came is another one: later, and younger where the store remembers births.
pub async fn a_remade_object_is_created_anew(harness: impl Harness) {
    write(&harness, "a", "1").await;
    let first = object(&list(&harness).await, &key("a")).clone();
    write(&harness, "a", "2").await;
    let second = object(&list(&harness).await, &key("a")).clone();
    assert_eq!(second.created, first.created, "a change is no birth");
    harness.remove(key("a")).await;
    assert_eq!(keys(&list(&harness).await), []);
    write(&harness, "a", "3").await;
    let third = object(&list(&harness).await, &key("a")).clone();
    assert!(second.revision < third.revision, "{second:?} then {third:?}");
    assert_eq!(second.created.is_some(), third.created.is_some());
    assert!(second.created.is_none_or(|created| Some(created) < third.created), "{second:?} then {third:?}");
}
