//! The Consul store passes every rule, whether it watches its prefix as one or in parts.

use crate::harness::Marked;

mod whole {
    use super::Marked;

    async fn harness() -> Marked {
        Marked::new().await
    }

    biplane_store::conformance_tests!(harness);
}

mod in_parts {
    use super::Marked;

    async fn harness() -> Marked {
        Marked::in_parts().await
    }

    biplane_store::conformance_tests!(harness);
}
