//! The biplane binary.
#![forbid(unsafe_code)]
fn main() {}
