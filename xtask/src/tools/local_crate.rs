//! Programs for tests that are written here but built apart: a workspace of their own, whose dependencies must not
//! meet ours.
//!
//! The key in the cache has a hash of the sources, so that what is found there was built from what is here.

use std::fs;
use std::path::PathBuf;

use crate::cache::{Cache, fingerprint};
use crate::failure::{Attempt, Result};
use crate::progress::Step;
use crate::tools::{debian, own};
use crate::{command, workspace};

/// A package with one binary of the same name.
pub(super) struct LocalCrate {
    /// The package.
    pub(super) name: &'static str,
    /// Its version.
    pub(super) version: &'static str,
    /// Its folder.
    pub(super) folder: &'static str,
    /// What its build scripts want.
    pub(super) packages: &'static [debian::Package],
    /// The variable by which users name their own, and tests are told where it is.
    pub(super) variable: &'static str,
}

impl LocalCrate {
    /// Finds or builds the binary.
    pub(super) fn install(&self, cache: &Cache, step: &Step) -> Result<PathBuf> {
        let check = ["--version"];
        if let Some(own) = own::binary(self.variable, &check, self.name, step)? {
            return Ok(own);
        }
        let key = format!("{}-{:016x}", self.version, fingerprint(&self.sources()?, "")?);
        let binary = cache.tool(self.name, &key).join(self.name);
        if !(binary.is_file() && command::works(&binary, &check)) {
            self.build(cache, &key, step)?;
        }
        // For tests that cargo starts without us: they know the version, and not the hash.
        cache.alias(self.name, self.version, &key)?;
        Ok(binary)
    }

    fn build(&self, cache: &Cache, key: &str, step: &Step) -> Result<()> {
        debian::install(self.packages, step)?;
        let staging = cache.staging(self.name)?;
        let _working = step.working("building (about a minute, once)");
        let target = staging.path.join("target");
        let mut cargo = command::cargo();
        cargo.args(["build", "--locked", "--quiet", "--manifest-path"]);
        cargo.arg(self.folder().join("Cargo.toml")).arg("--target-dir").arg(&target);
        command::quietly(&mut cargo)?;
        let ready = staging.path.join("ready");
        fs::create_dir(&ready)
            .and_then(|()| fs::rename(target.join("debug").join(self.name), ready.join(self.name)))
            .attempt(|| format!("cannot install {}", self.name))?;
        cache.publish(&ready, self.name, key)
    }

    fn folder(&self) -> PathBuf {
        workspace::root().join(self.folder)
    }

    /// Everything that decides what is built, sorted.
    fn sources(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder();
        let mut sources = vec![folder.join("Cargo.toml"), folder.join("Cargo.lock")];
        let code = folder.join("src");
        let entries = fs::read_dir(&code).attempt(|| format!("cannot read {}", code.display()))?;
        sources.extend(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())));
        sources.sort();
        Ok(sources)
    }

    /// Whether it is formatted as our own workspace is, which rustfmt does not see.
    pub(super) fn check_format(&self) -> Result<()> {
        let mut cargo = command::cargo();
        cargo.args(["fmt", "--check", "--manifest-path"]).arg(self.folder().join("Cargo.toml"));
        command::in_view(&mut cargo)
            .map_err(|failure| failure.hint(format!("run `cargo fmt` in {}", self.folder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::CONSULRS_CLIENT;

    #[test]
    fn the_package_is_a_workspace_of_its_own_with_the_version_that_is_written_here() {
        let manifest = CONSULRS_CLIENT.folder().join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("the package is there");
        assert!(manifest.contains("\n[workspace]\n"));
        assert!(manifest.contains(&format!("\nversion = \"{}\"\n", CONSULRS_CLIENT.version)));
    }

    #[test]
    fn the_sources_are_the_lock_file_and_the_code() {
        let sources = CONSULRS_CLIENT.sources().expect("readable");
        let names: Vec<String> = sources
            .iter()
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        for name in ["Cargo.lock", "Cargo.toml", "main.rs"] {
            assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
        }
    }
}
