//! The rules of every source of endpoints.

mod addresses {
    use crate::harness::Harness;

    biplane_source::endpoint_conformance_tests!(Harness::quick);
}

mod services {
    use crate::harness::Harness;

    biplane_source::endpoint_conformance_tests!(Harness::quick_services);
}
