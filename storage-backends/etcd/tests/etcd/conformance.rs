//! The etcd store passes every rule.

use crate::harness::Shared;

async fn harness() -> Shared {
    Shared::new().await
}

biplane_store::conformance_tests!(harness);
