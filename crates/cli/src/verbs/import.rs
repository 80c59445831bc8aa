//! `biplane import gloo`: takes over what another control plane keeps.

mod gloo;

use clap::Subcommand;

use crate::exit::Outcome;

/// Where from.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Copy everything that Gloo keeps in Consul or in files, and report what is not taken over and why
    Gloo(gloo::Arguments),
}

/// Imports.
pub(crate) async fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Gloo(arguments) => gloo::run(arguments).await,
    }
}
