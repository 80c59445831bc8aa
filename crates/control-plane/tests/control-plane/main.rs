//! Tests of the control plane against its public parts: one binary, one module a subject.

mod edits;
mod engine;
mod guard;
mod incremental;
mod process;
mod unknown;
