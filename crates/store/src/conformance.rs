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
//! The harness writes by the means that users have, never through the store under test, so that the
//! store does not check itself. Rules wait for conditions and fail with what they saw last.

mod follower;
mod memory;
pub mod rules;
pub mod write_rules;

use std::sync::Arc;

use async_trait::async_trait;
use biplane_core::key::{Kind, ObjectKey};
use bytes::Bytes;

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
            two_watches_tell_the_same
            a_dropped_watch_harms_nobody
            odd_names_and_unicode_values_survive
            large_values_survive
        );
        $crate::conformance_tests!(@rules $harness, write_rules:
            a_store_says_whether_it_can_be_written
            a_committed_object_is_listed_and_watched
            an_outdated_writer_gets_a_conflict
            creating_what_exists_is_a_conflict
            deleting_what_is_absent_is_not_found
            a_batch_is_all_or_nothing
            a_batch_names_an_object_once
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
