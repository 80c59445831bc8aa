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

/// The verbs: those that run, those that read and change resources, those that look after the whole, and those
/// that need no server.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve configuration to Envoys
    Serve(verbs::serve::Arguments),
    /// Run a control plane, a real Envoy and a demo upstream, and send a request through them
    Quickstart(verbs::quickstart::Arguments),
    /// Mark a new store as one of Biplane's
    Init(verbs::init::Arguments),
    /// Print resources
    Get(verbs::get::Arguments),
    /// Print all that is known of one resource
    Describe(verbs::describe::Arguments),
    /// Make the store hold what files say, in one step
    Apply(verbs::apply::Arguments),
    /// Print what `apply` would change
    Diff(verbs::diff::Arguments),
    /// Change one resource in an editor
    Edit(verbs::edit::Arguments),
    /// Delete resources, in one step
    Delete(verbs::delete::Arguments),
    /// Print the versions of a resource
    History(verbs::history::Arguments),
    /// Make an earlier version of a resource the present one
    Rollback(verbs::rollback::Arguments),
    /// Print resources, and then every change
    Watch(verbs::watch::Arguments),
    /// Show sources, fleets, nodes and what is wrong
    Status(verbs::status::Arguments),
    /// Name every object, source and node that something is wrong with
    Check(verbs::check::Arguments),
    /// Check settings and resources, and have the running process reload
    Reload(verbs::reload::Arguments),
    /// Which route answers a request, which do not and why, and where the request goes
    Explain(verbs::explain::Arguments),
    /// What configuration is read from
    #[command(subcommand)]
    Source(verbs::source::Verb),
    /// Who may use the HTTP API
    #[command(subcommand)]
    Admin(verbs::admin::Verb),
    /// Take over what another control plane keeps
    #[command(subcommand)]
    Import(verbs::import::Verb),
    /// Check resources without a server; reports everything that is wrong at once
    Validate(verbs::validate::Arguments),
    /// Print the Envoy configuration that would be served
    Translate(verbs::translate::Arguments),
    /// What Envoy needs from here
    #[command(subcommand)]
    Envoy(verbs::envoy::Verb),
    /// Certificates for a start
    #[command(subcommand)]
    Pki(verbs::pki::Verb),
    /// Print the JSON Schema of a kind, or of all kinds
    Schema(verbs::schema::Arguments),
    /// The settings of the process
    #[command(subcommand)]
    Config(verbs::config::Verb),
    /// Print a completion script for a shell
    Completions(verbs::completions::Arguments),
    /// Write the manual pages into a directory
    Man(verbs::man::Arguments),
    /// Print the version
    Version,
}
