//! Reading and changing what a store holds.
#![forbid(unsafe_code)]
