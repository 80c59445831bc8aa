//! The flags that are settings. They stay text until all layers are joined.

use std::path::PathBuf;

use clap::Args;

use super::Layer;

/// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct GlobalFlags {
    /// The settings file [default: ./biplane.yaml, else /etc/biplane/biplane.yaml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(crate) config: Option<PathBuf>,
    /// What to log, as RUST_LOG says it: `info`, `warn,biplane_xds=debug`
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Everywhere")]
    pub(crate) log: Option<String>,
    /// How to log: `human` or `json`
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Everywhere")]
    pub(crate) log_format: Option<String>,
}

/// Flags of `serve` and `config show`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Flags {
    /// Where resources are read from: file://DIR or a directory [default: file:///etc/biplane/resources]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Where Envoys connect to; loopback only for now [default: 127.0.0.1:9977]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) xds: Option<String>,
    /// Where the HTTP API is; loopback only for now [default: 127.0.0.1:9978]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) admin: Option<String>,
    /// Where the last good configuration is kept, so that a restart serves it whatever is down
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<String>,
    /// The key that seals secrets in the state directory [default: made there at first start]
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot_key_file: Option<String>,
    /// Written once the addresses are bound: {"xds":"ip:port","admin":"ip:port"}
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<String>,
    /// How long a deletion waits while other objects refer to what goes [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) hold_deletions: Option<String>,
    /// How long streams may take to end when the process stops [default: 5s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) drain: Option<String>,
    /// How often everything is read again although nothing seems to have changed [default: 5m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) resync: Option<String>,
}

/// The layer above all others.
pub(super) fn read(global: &GlobalFlags, flags: &Flags) -> Layer {
    let mut layer = Layer::new("flags");
    let values = [
        ("store", "--store", &flags.store),
        ("xds", "--xds", &flags.xds),
        ("admin", "--admin", &flags.admin),
        ("stateDir", "--state-dir", &flags.state_dir),
        ("snapshotKeyFile", "--snapshot-key-file", &flags.snapshot_key_file),
        ("readyFile", "--ready-file", &flags.ready_file),
        ("holdDeletions", "--hold-deletions", &flags.hold_deletions),
        ("drain", "--drain", &flags.drain),
        ("resync", "--resync", &flags.resync),
        ("log", "--log", &global.log),
        ("logFormat", "--log-format", &global.log_format),
    ];
    for (key, flag, value) in values {
        if let Some(value) = value {
            layer.set(key, value, flag);
        }
    }
    layer
}
