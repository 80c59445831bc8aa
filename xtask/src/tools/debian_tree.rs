//! A clean Debian, as debootstrap unpacks it: what the package is tried in, booted with its own systemd.
//!
//! Invariant: the tree is only copied, never booted or changed, so that each test begins with the same.

use std::path::PathBuf;
use std::process::Command;

use super::debian;
use crate::cache::Cache;
use crate::command;
use crate::failure::{Failure, Result};
use crate::progress::Step;

/// A release with packages beyond the smallest set.
pub(super) struct DebianTree {
    /// The tool's name in the cache.
    pub(super) name: &'static str,
    /// The release and the edition of the list of packages: another list takes another edition.
    pub(super) version: &'static str,
    /// Debian's name of the release.
    pub(super) suite: &'static str,
    /// The packages.
    pub(super) packages: &'static str,
    /// The variable that names another tree.
    pub(super) variable: &'static str,
}

impl DebianTree {
    /// Finds or unpacks the tree.
    pub(super) fn install(&self, cache: &Cache, step: &Step) -> Result<PathBuf> {
        debian::install(debian::FOR_MACHINES, step)?;
        let own = std::env::var_os(self.variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        let tree = own.unwrap_or_else(|| cache.tool(self.name, self.version));
        // Written last when packages are unpacked and set up.
        if tree.join("etc/machine-id").exists() && tree.join("usr/lib/systemd/systemd").exists() {
            return Ok(tree);
        }
        if !debian::is_root() {
            return Err(Failure::new(
                "a Debian to try the package in can only be unpacked and booted by root",
            )
            .hint("run this as root, or leave the long tests out"));
        }
        let staging = cache.staging(self.name)?;
        let ready = staging.path.join("tree");
        let _working = step.working(&format!("unpacking Debian {} (40 s, once)", self.suite));
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.args(["--variant=minbase", "--include", self.packages, self.suite]).arg(&ready);
        command::quietly(&mut debootstrap)?;
        cache.publish(&ready, self.name, self.version)?;
        Ok(cache.tool(self.name, self.version))
    }
}
