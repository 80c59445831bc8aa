//! The command line: the verbs and their flags, as clap reads them and `--help` shows them.

use clap::{Parser, Subcommand};

use crate::config::GlobalFlags;
use crate::exit::EXIT_CODES;
use crate::verbs;

/// The control plane for Envoy where there is no Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "biplane", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    /// Flags of every verb.
    #[command(flatten)]
    pub(crate) global: GlobalFlags,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve configuration to Envoys
    Serve(verbs::serve::Arguments),
    /// Check resources without a server; reports everything that is wrong at once
    Validate(verbs::validate::Arguments),
    /// Print the Envoy configuration that would be served
    Translate(verbs::translate::Arguments),
    /// What Envoy needs from here
    #[command(subcommand)]
    Envoy(verbs::envoy::Verb),
    /// Show sources, fleets, nodes and what is wrong
    Status(verbs::status::Arguments),
    /// Run a control plane, a real Envoy and a demo upstream, and send a request through them
    Quickstart(verbs::quickstart::Arguments),
    /// Print the JSON Schema of a kind, or of all kinds
    Schema(verbs::schema::Arguments),
    /// The settings of the process
    #[command(subcommand)]
    Config(verbs::config::Verb),
    /// Print a completion script for a shell
    Completions(verbs::completions::Arguments),
    /// Print the version
    Version,
}
