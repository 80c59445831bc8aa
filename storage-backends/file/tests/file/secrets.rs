//! Files as a source of secrets: the conformance suite, the layouts of real tools, and bad days.

mod conformance;
mod credentials;
mod faults;
mod harness;
mod layouts;
