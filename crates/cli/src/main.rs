//! The `biplane` binary: one file a verb in [`verbs`], each thin; the work is done in the crates below.
//!
//! What holds for every verb lives beside them: settings in [`config`], the two streams in [`output`],
//! exit codes in [`exit`]; the way to resources in [`connect`], what names them in [`objects`] and [`documents`],
//! what became of changes in [`changes`]; and the one place that names store backends in [`backends`].
#![forbid(unsafe_code)]

mod backends;
mod changes;
mod command_line;
mod config;
mod connect;
mod credentials;
mod discovery;
mod documents;
mod exit;
mod findings;
mod logging;
mod objects;
mod open_files;
mod output;
mod reload;
mod service_manager;
mod signals;
mod standing;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use command_line::CommandLine;
use exit::{Failure, Outcome};

fn main() -> ExitCode {
    match run(&CommandLine::parse()) {
        Ok(code) => code.into(),
        Err(failure) => {
            output::say_failure(&failure);
            failure.code.into()
        }
    }
}

fn run(command_line: &CommandLine) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start the async runtime: {error}")))?;
    let outcome = runtime.block_on(verbs::run(command_line));
    // What still runs (a blocking read of a directory that hangs) must not keep the process.
    runtime.shutdown_background();
    outcome
}
