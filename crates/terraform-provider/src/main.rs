//! Biplane's provider for OpenTofu and Terraform: a program that OpenTofu starts and speaks to over gRPC, and that speaks to a
//! control plane's HTTP API.
//!
//! ```text
//! OpenTofu ──gRPC──▶ plugin ──▶ provider ──▶ batch ──▶ admin-api's client ──HTTP──▶ biplane serve
//!                   (transport)  │   │      (many in one)
//!                                │   └─ document (states and documents)
//!                                └───── form, schema (what resources look like, made from core's schema)
//! ```
//!
//! Invariant: nothing secret gets into a state or a message, and nothing that others have changed is overwritten unseen.
#![forbid(unsafe_code)]
#![expect(clippy::result_large_err, reason = "a problem or a diagnostic is met once a call")]

mod batch;
mod diagnostics;
#[cfg(test)]
mod docs;
mod document;
mod form;
mod plugin;
mod provider;
mod schema;
mod value;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    match plugin::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
