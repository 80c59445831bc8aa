//! The Store trait, its memory reference and its conformance suite.
#![forbid(unsafe_code)]
