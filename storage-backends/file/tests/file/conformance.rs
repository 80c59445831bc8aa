//! The file store passes every rule.

use crate::harness::Files;

async fn harness() -> Files {
    Files::new()
}

biplane_store::conformance_tests!(harness);
