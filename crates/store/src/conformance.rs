//! What every store must do: one named rule each, for backends here and elsewhere.
//!
//! A backend writes a [`Harness`] over the real thing (files, a server) and lets
//! [`conformance_tests!`](crate::conformance_tests) make one test per rule:
//!
//! ```
//! # use biplane_store::conformance::MemoryHarness;
//! async fn harness() -> MemoryHarness {
//!     MemoryHarness::new()
//! }
//! # mod tests {
//! # use super::harness;
//! biplane_store::conformance_tests!(harness);
//! # }
//! # fn main() {}
//! ```
//!
//! Which rules apply is decided by what the store says of itself, and by nothing else: a store that is not
//! [`writable`](crate::Description::writable) passes the rules of writing by refusing, one without a
//! [`sentinel`](crate::Description::sentinel) those of marks, one without [`records`](Store::records) those of
//! records and of the leader's seat. Whoever says that it has them has to bring the hooks that these rules need.
//!
//! The harness writes by the means that users have, never through the store under test, so that the
//! store does not check itself. Rules wait for conditions and fail with what they saw last.

pub mod batch_rules;
mod follower;
mod hands;
pub mod mark_rules;
mod memory;
pub mod record_rules;
pub mod rules;
pub mod seat_rules;
pub mod value_rules;
pub mod write_rules;

use std::sync::Arc;

use async_trait::async_trait;
use biplane_core::key::{Kind, ObjectKey};
use bytes::Bytes;

use crate::manifest::Manifest;
use crate::records::Fence;
use crate::store::Store;

pub use follower::Follower;
pub use memory::MemoryHarness;

/// One store under test, at first existing and empty, and the hands of its users.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The store under test: always the same instance.
    fn store(&self) -> Arc<dyn Store>;

    /// Another instance over the same content, as another replica has it.
    async fn replica(&self) -> Arc<dyn Store>;

    /// Writes objects in one step, as far as the store's users can.
    async fn write(&self, objects: Vec<(ObjectKey, Bytes)>);

    /// Removes an object that was written.
    async fn remove(&self, key: ObjectKey);

    /// Writes something beside the objects that names no object.
    async fn write_broken(&self);

    /// Removes what [`Self::write_broken`] wrote.
    async fn remove_broken(&self);

    /// Makes the store unreadable: server down, root gone.
    async fn take_away(&self);

    /// Undoes [`Self::take_away`], with the content as it was.
    async fn give_back(&self);

    /// Makes the store forget how it got here, so that revisions handed out before can no longer be
    /// watched from: compaction, overflow. It may write while doing so.
    async fn lose_history(&self);

    /// Writes one object, which the store's users may not be able to because of its size; whether they were.
    async fn try_write(&self, key: ObjectKey, value: Bytes) -> bool {
        self.write(vec![(key, value)]).await;
        true
    }

    /// Removes the sentinel and nothing else. Only asked of stores that say that they have one.
    async fn unmark(&self) {
        panic!("a store with a sentinel has to say how its users remove it");
    }

    /// Removes everything below `config/`, the sentinel included, in one step. Only asked of stores with a sentinel.
    async fn wipe(&self) {
        panic!("a store with a sentinel has to say how its users wipe it");
    }

    /// Leaves this manifest in the store, as a writer that died after it would. Only asked of stores with a
    /// sentinel.
    async fn leave_batch_open(&self, manifest: Manifest) {
        panic!("a store with a sentinel has to say how its users write {manifest:?}");
    }

    /// Takes the leader's seat from its holder, as a lease that runs out does. Only asked of stores with records.
    async fn expire_seat(&self, fence: &Fence) {
        panic!("a store with records has to say how its users end {fence:?}");
    }
}

/// The key of a virtual service that rules write.
pub fn key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::VirtualService, "default", name)
}

/// A document that identifies as `key` and carries `note`.
pub fn document(key: &ObjectKey, note: &str) -> Bytes {
    let ObjectKey { kind, namespace, name } = key;
    format!(
        "kind: {kind}\nmetadata:\n  name: \"{name}\"\n  namespace: \"{namespace}\"\n  annotations:\n    note: \"{note}\"\n"
    )
    .into()
}

/// Makes one `#[tokio::test]` per conformance rule. The argument is an async function that makes a
/// fresh [`Harness`].
#[macro_export]
macro_rules! conformance_tests {
    ($harness:path) => {
        $crate::conformance_tests!(@rules $harness, rules:
            an_empty_store_lists_completely_and_empty
            list_after_write_sees_it
            a_listing_is_sorted_and_has_each_key_once
            watch_from_listing_revision_misses_nothing
            a_change_is_seen
            removal_is_seen
            written_together_is_told_together
            revisions_only_grow
            head_is_not_behind_a_write
            same_content_rewrite_is_harmless
            unavailable_is_failed_never_empty
            a_store_that_comes_back_lists_again
            one_bad_document_costs_only_itself
            a_bad_document_is_told_and_cleared_by_the_watch
            removing_the_last_object_is_known_empty
            an_unknown_revision_asks_to_resync
            lost_history_asks_to_resync
            after_a_resync_list_and_watch_agree
            two_replicas_list_alike
            identity_is_the_same_for_every_instance
            one_object_reads_as_the_listing_has_it
            two_watches_tell_the_same
            a_dropped_watch_harms_nobody
        );
        $crate::conformance_tests!(@rules $harness, value_rules:
            odd_names_and_unicode_values_survive
            large_values_survive
            keys_with_odd_characters_survive
            a_value_over_the_limit_costs_only_itself
            a_remade_object_is_created_anew
        );
        $crate::conformance_tests!(@rules $harness, write_rules:
            a_store_says_whether_it_can_be_written
            a_committed_object_is_listed_and_watched
            an_outdated_writer_gets_a_conflict
            creating_what_exists_is_a_conflict
            deleting_what_is_absent_is_not_found
            a_batch_is_all_or_nothing
            a_batch_names_an_object_once
            a_name_that_cannot_be_is_refused
            an_empty_batch_changes_nothing
            a_large_value_can_be_written
            a_value_over_the_limit_is_refused
        );
        $crate::conformance_tests!(@rules $harness, batch_rules:
            a_large_batch_is_told_together
            a_large_delete_is_told_together
            a_conflict_in_the_middle_of_a_large_batch_changes_nothing
            a_large_batch_that_deletes_what_is_absent_changes_nothing
            two_large_batches_do_not_interleave
            a_batch_left_open_is_held_back_and_then_told
            an_authored_batch_leaves_its_intent
            a_batch_of_many_long_names_leaves_word_of_each
        );
        $crate::conformance_tests!(@rules $harness, mark_rules:
            an_unmarked_place_is_not_empty
            init_marks_a_place_and_keeps_what_is_there
            init_of_a_marked_store_changes_nothing
            two_inits_at_once_agree
            a_place_that_is_marked_anew_is_another_store
            a_mark_taken_away_ends_the_watch
            a_wipe_tells_no_deletion
            a_marked_store_keeps_records
        );
        $crate::conformance_tests!(@rules $harness, record_rules:
            a_record_reads_as_it_was_written
            a_deleted_record_is_gone
            a_folder_of_records_reads_whole_and_sorted
            a_folder_of_records_reads_from_a_path_on_and_by_name
            a_record_written_on_an_outdated_belief_is_refused
            many_records_are_written_in_one_call
            records_never_show_among_objects
            records_of_a_store_that_is_away_are_unknown
        );
        $crate::conformance_tests!(@rules $harness, seat_rules:
            one_leads_and_the_next_one_waits
            a_fence_lets_the_leader_write
            a_deposed_leader_writes_nothing
            a_fence_ends_with_its_seat
        );
    };
    (@rules $harness:path, $module:ident: $($rule:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::conformance::$module::$rule($harness().await).await;
            }
        )*
    };
}
