//! Tests of the editor against its public parts: one binary, one module a subject.

mod changes;
mod dry_run;
mod history;
mod reading;
mod secrets;
mod shadow;
mod watching;
mod world;
