//! Where the servers' binaries are: a variable names one, or `cargo xtask tools` has installed it.

use std::path::PathBuf;
use std::process::Command;

/// How the variables begin by which people configure the servers and their commands.
const PREFIXES: [&str; 9] =
    ["AWS_", "BAO_", "BIPLANE_API", "CONSUL_", "ETCD", "NOMAD_", "TF_", "TOFU_", "VAULT_"];

/// A binary of a pinned version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// The variable that names another one.
    pub(crate) variable: &'static str,
    /// The folder of the tools cache.
    pub(crate) package: &'static str,
    /// The version that `cargo xtask tools` installs.
    pub(crate) version: &'static str,
    /// The file in that folder.
    pub(crate) file: &'static str,
}

impl Tool {
    /// The binary. Panics with a hint if there is none: a test that cannot run has failed.
    pub(crate) fn path(&self) -> PathBuf {
        if let Some(path) = variable(self.variable) {
            return path;
        }
        let Self { package, version, file, .. } = self;
        let path = cache().join("biplane/tools").join(package).join(version).join(file);
        assert!(
            path.is_file(),
            "there is no {file} {version} at {}: run `cargo xtask tools`, or set {}",
            path.display(),
            self.variable
        );
        path
    }

    /// A command that runs it without the variables by which its users configure it: what a test starts is
    /// configured by the test alone.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.path());
        for (name, _) in std::env::vars_os() {
            if PREFIXES.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
    }
}

fn cache() -> PathBuf {
    let own = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    own.unwrap_or_default()
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
