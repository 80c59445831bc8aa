//! Tools that cargo builds from a crate of their own, with the lock file that their authors published.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::command;
use crate::failure::Result;
use crate::progress::Step;

/// A crate with one binary of the same name.
pub(super) struct CrateBinary {
    /// The crate.
    pub(super) name: &'static str,
    /// The pinned version.
    pub(super) version: &'static str,
}

impl CrateBinary {
    /// Finds or builds the binary.
    pub(super) fn install(&self, cache: &Cache, step: &Step) -> Result<PathBuf> {
        let binary = cache.tool(self.name, self.version).join(self.name);
        if self.works(&binary) {
            return Ok(binary);
        }
        let staging = cache.staging(self.name)?;
        let _working =
            step.working(&format!("building {} {} (about a minute, once)", self.name, self.version));
        let mut cargo = command::cargo();
        cargo.args([
            "install",
            self.name,
            "--version",
            self.version,
            "--locked",
            "--debug",
            "--quiet",
            "--root",
        ]);
        // A target directory of its own: our options are not those that its lock file was made for.
        cargo.arg(&staging.path).env("CARGO_TARGET_DIR", staging.path.join("target"));
        command::quietly(&mut cargo)?;
        cache.publish(&staging.path.join("bin"), self.name, self.version)?;
        Ok(binary)
    }

    fn works(&self, binary: &Path) -> bool {
        binary.is_file()
            && command::quietly(Command::new(binary).arg("--version"))
                .is_ok_and(|words| words.contains(self.version))
    }
}
