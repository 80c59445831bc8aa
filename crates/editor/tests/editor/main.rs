//! Tests of the editor against its public parts: one binary, one module a subject.
#![expect(clippy::result_large_err, reason = "tests compare problems as they are")]

mod changes;
mod dry_run;
mod history;
mod reading;
mod secrets;
mod shadow;
mod watching;
mod world;
