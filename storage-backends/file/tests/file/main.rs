//! The file store against real directories: the conformance suite, the save sequences of real tools,
//! and bad days.
#![forbid(unsafe_code)]

mod conformance;
mod faults;
mod harness;
mod links;
mod random;
mod saves;
mod secrets;
mod writes;
