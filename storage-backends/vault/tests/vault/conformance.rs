//! Both key-value engines pass every rule for sources of secrets.

mod version_1 {
    use crate::harness::Shelf;

    async fn harness() -> Shelf {
        Shelf::new(1).await
    }

    biplane_source::secret_conformance_tests!(harness);
}

mod version_2 {
    use crate::harness::Shelf;

    async fn harness() -> Shelf {
        Shelf::new(2).await
    }

    biplane_source::secret_conformance_tests!(harness);
}
