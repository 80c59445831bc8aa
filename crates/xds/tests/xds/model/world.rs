//! A small world of resources that name each other, and edits of it. What a resource names is written in its
//! body, so that the client knows what it holds.

use std::sync::Arc;

use biplane_xds::{Change, Fleets, Resource, ResourceName};
use proptest::prelude::*;

use crate::harness::{FLEET, name, resource};

/// Names, each with what it may name.
const NAMES: [(&str, &[&str]); 14] = [
    ("cds/a", &["eds/a"]),
    ("cds/b", &["eds/b"]),
    ("cds/c", &[]),
    ("cds/d", &["eds/d", "sds/s"]),
    ("eds/a", &[]),
    ("eds/b", &[]),
    ("eds/d", &[]),
    ("sds/s", &[]),
    ("sds/t", &[]),
    ("rds/p", &["cds/a", "cds/b", "cds/c", "cds/d"]),
    ("rds/q", &["cds/a", "cds/b", "cds/c", "cds/d"]),
    ("rds/r", &["cds/a", "cds/b", "cds/c", "cds/d"]),
    ("lds/l", &["rds/p", "rds/q", "sds/t"]),
    ("lds/m", &["rds/r", "cds/c", "cds/a"]),
];

/// What happens to one name.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// A version, and which of the possible references it has.
    Set(usize, u8, u8),
    Remove(usize),
    Lose(usize),
}

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let names = 0..NAMES.len();
    prop_oneof![
        6 => (names.clone(), 0..8_u8, any::<u8>()).prop_map(|(name, version, mask)| Edit::Set(name, version, mask)),
        2 => names.clone().prop_map(Edit::Remove),
        1 => names.prop_map(Edit::Lose),
    ]
}

pub(crate) struct World {
    pub(crate) fleets: Fleets,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { fleets: Fleets::new() };
        let all =
            (0..NAMES.len()).map(|name| Edit::Set(name, 1, if name % 2 == 0 { 0b0101 } else { 0b1011 }));
        world.publish(&all.collect::<Vec<_>>());
        world
    }

    pub(crate) fn publish(&self, edits: &[Edit]) {
        let mut change = Change::default();
        for edit in edits {
            match edit {
                Edit::Set(index, version, mask) => change.upserts.push(set(*index, *version, *mask)),
                Edit::Remove(index) => change.removals.push(name(NAMES[*index].0)),
                Edit::Lose(index) => {
                    // A source that fails has forgotten what it had.
                    change.removals.push(name(NAMES[*index].0));
                    change.unknown.push(name(NAMES[*index].0));
                }
            }
        }
        self.fleets.publish(FLEET, change);
    }

    /// What was unknown turns out to be absent.
    pub(crate) fn tell_all(&self) {
        let snapshot = self.fleets.snapshot(FLEET).expect("it is configured");
        let removals = snapshot.unknown().cloned().collect();
        self.fleets.publish(FLEET, Change { removals, ..Change::default() });
    }
}

fn set(index: usize, version: u8, mask: u8) -> Arc<Resource> {
    let (name, may_name) = NAMES[index];
    let always = name.starts_with("cds");
    let chosen = may_name.iter().enumerate().filter(|(bit, _)| always || mask & 1 << bit != 0);
    let references: Vec<&str> = chosen.map(|(_, name)| *name).collect();
    let version = if version == 7 { "bad".to_owned() } else { (version % 3).to_string() };
    resource(name, &format!("{version}#{}", references.join(",")), &references)
}

/// Whether a client refuses a body.
pub(crate) fn is_bad(body: &[u8]) -> bool {
    body.windows(4).any(|part| part == b"@bad")
}

/// What a body names.
pub(crate) fn references(body: &[u8]) -> Vec<ResourceName> {
    let text = String::from_utf8_lossy(body);
    let list = text.split_once('#').map_or("", |(_, list)| list);
    list.split(',').filter(|part| !part.is_empty()).map(name).collect()
}
