//! The file store passes every rule, whether it only reads or may write below its root.

mod read_only {
    use crate::harness::Files;

    async fn harness() -> Files {
        Files::new()
    }

    biplane_store::conformance_tests!(harness);
}

mod managed {
    use crate::harness::Files;

    async fn harness() -> Files {
        Files::managed()
    }

    biplane_store::conformance_tests!(harness);
}
