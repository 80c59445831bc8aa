//! Whatever users and Biplane write in whatever order: in the end the watch has told what is there.

use std::collections::BTreeSet;

use biplane_core::key::{Kind, ObjectKey};
use biplane_store::conformance::{Harness as _, document};
use biplane_store::{Batch, Precondition};
use biplane_store_consul::Tuning;

use crate::harness::{Marked, tuning};

const KINDS: [Kind; 4] = [Kind::VirtualService, Kind::VirtualHostOption, Kind::Upstream, Kind::UpstreamGroup];
const NAMESPACES: [&str; 6] = ["a", "ab", "abc", "b", "team-1", "team-10"];

/// Numbers that look random and are the same in each run of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below the limit")
    }

    fn object(&mut self) -> ObjectKey {
        let (kind, namespace) = (KINDS[self.below(KINDS.len())], NAMESPACES[self.below(NAMESPACES.len())]);
        ObjectKey::new(kind, namespace, format!("n{}", self.below(3)))
    }
}

/// One step of somebody's.
async fn step(harness: &Marked, dice: &mut Dice, round: usize) {
    let object = dice.object();
    let value = document(&object, &format!("round {round}"));
    match dice.below(10) {
        0..=4 => harness.write(vec![(object, value)]).await,
        5..=6 => harness.remove(object).await,
        7 => harness
            .server
            .consul
            .kv_delete_prefix(&harness.config(object.kind.as_str()))
            .await
            .expect("a deletion"),
        8 => {
            harness.put("stray", "typo").await;
            harness.delete("stray").await;
        }
        _ => {
            let objects: BTreeSet<_> = (0..5).map(|_| dice.object()).collect();
            let batch = objects.into_iter().fold(Batch::new(), |batch, object| {
                let value = document(&object, &format!("batch {round}"));
                batch.put(object, value, Precondition::Any)
            });
            harness.store().commit(batch).await.map(drop).expect("a batch");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watch_ends_up_with_what_is_there() {
    for (seed, whole_bytes, max_watches) in [(1, 0, 64), (2, 0, 16), (3, 3_000, 16), (4, 1_000_000, 64)] {
        let harness = Marked::tuned(Tuning { whole_bytes, max_watches, ..tuning() }).await;
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ seed);
        for round in 0..20 {
            step(&harness, &mut dice, round).await;
        }
        let mut follower = harness.follow().await;
        for round in 20..220 {
            step(&harness, &mut dice, round).await;
        }
        harness.put_service("last", "marker").await;
        let listing = harness.store().list().await.expect("the store lists");
        let listed: Vec<_> = listing.items.iter().map(|object| (&object.key, &object.value)).collect();
        follower
            .until(&format!("all of seed {seed}"), |seen| {
                seen.objects.iter().map(|(key, object)| (key, &object.value)).eq(listed.iter().copied())
                    && seen.faults == listing.faults
            })
            .await;
        let revisions: Vec<_> = follower.told.iter().map(|told| told.revision).collect();
        assert!(revisions.is_sorted(), "seed {seed}: {revisions:?}");
    }
}
