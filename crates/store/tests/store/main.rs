//! The memory store against the conformance suite, and the driver against bad days.
#![forbid(unsafe_code)]

mod driver;

mod memory {
    use biplane_store::conformance::MemoryHarness;

    async fn harness() -> MemoryHarness {
        MemoryHarness::new()
    }

    biplane_store::conformance_tests!(harness);
}
