//! The rules of every source of endpoints.

use crate::harness::Harness;

biplane_source::endpoint_conformance_tests!(Harness::new);
