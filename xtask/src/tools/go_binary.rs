//! Servers that Go builds from the modules that their authors publish.
//!
//! A wrapper module in `tools/` pins them: its go.mod has the version, its go.sum the hash of every dependency. Go may
//! change neither, so that what was not pinned is not built. All programs of a module appear in the cache together.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::{Cache, Staging};
use crate::failure::{Attempt, Failure, Result};
use crate::progress::Step;
use crate::tools::own;
use crate::{command, workspace};

/// Longer than the largest module takes on a slow line; Go itself would wait for a silent proxy for ever.
const SILENCE: Duration = Duration::from_mins(5);

/// The programs of one wrapper module.
pub(super) struct GoBinary {
    /// What we and its users call it.
    pub(super) name: &'static str,
    /// The pinned version.
    pub(super) version: &'static str,
    /// The folder of the wrapper module.
    pub(super) wrapper: &'static str,
    /// The oldest Go that builds it.
    pub(super) go: (u32, u32),
    /// Whether a C compiler takes part, as in the releases of its authors.
    pub(super) c: bool,
    /// How long that takes with an empty cache, for the person who waits.
    pub(super) duration: &'static str,
    /// What is built.
    pub(super) programs: &'static [Program],
}

/// One program.
pub(super) struct Program {
    /// The name of the binary.
    pub(super) name: &'static str,
    /// Its main package.
    pub(super) package: &'static str,
    /// Arguments with which it prints its version.
    pub(super) check: &'static [&'static str],
    /// The variable by which users name their own, and tests are told where it is.
    pub(super) variable: &'static str,
}

impl GoBinary {
    /// Finds or builds the programs: their variables and where they are.
    pub(super) fn install(&self, cache: &Cache, step: &Step) -> Result<Vec<(&'static str, PathBuf)>> {
        let pinned = format!("{} {}", self.name, self.version);
        let mut found = Vec::new();
        for program in self.programs {
            let own = own::binary(program.variable, program.check, &pinned, step)?;
            found.push((program, own));
        }
        let home = cache.tool(self.name, self.version);
        if found.iter().any(|(_, own)| own.is_none()) && !self.works(&home) {
            self.build(cache, step)?;
        }
        let path = |(program, own): (&Program, Option<PathBuf>)| {
            (program.variable, own.unwrap_or_else(|| home.join(program.name)))
        };
        Ok(found.into_iter().map(path).collect())
    }

    /// Whether all of it is there and is the version that it should be.
    fn works(&self, folder: &Path) -> bool {
        self.programs.iter().all(|program| {
            let binary = folder.join(program.name);
            binary.is_file()
                && command::quietly(Command::new(binary).args(program.check))
                    .is_ok_and(|words| words.contains(self.version))
        })
    }

    fn build(&self, cache: &Cache, step: &Step) -> Result<()> {
        self.check_go()?;
        let staging = cache.staging(self.name)?;
        self.copy_wrapper(&staging)?;
        self.fetch(&staging, step)?;
        let ready = staging.path.join("ready");
        for program in self.programs {
            self.compile(program, &staging, &ready, step)?;
        }
        if !self.works(&ready) {
            return Err(Failure::new(format!("{} {} was built but does not run", self.name, self.version)));
        }
        cache.publish(&ready, self.name, self.version)
    }

    fn check_go(&self) -> Result<()> {
        let words = command::quietly(Command::new("go").args(["env", "GOVERSION"])).map_err(|_| {
            Failure::new(format!("Go is missing; it builds {} {} for tests", self.name, self.version))
                .hint(self.hint_about_go())
        })?;
        match go_version(&words) {
            Some(version) if version < self.go => {
                Err(Failure::new(format!("{} is too old for {} {}", words.trim(), self.name, self.version))
                    .hint(self.hint_about_go()))
            }
            _ => Ok(()),
        }
    }

    fn hint_about_go(&self) -> String {
        let (major, minor) = self.go;
        format!("install Go {major}.{minor} or newer, or name builds of your own: {}", self.variables())
    }

    fn copy_wrapper(&self, staging: &Staging) -> Result<()> {
        for name in ["go.mod", "go.sum"] {
            let source = workspace::root().join(self.wrapper).join(name);
            fs::copy(&source, staging.path.join(name))
                .attempt(|| format!("cannot copy {}", source.display()))?;
        }
        Ok(())
    }

    /// Apart from compiling, so that a network that does not answer is not mistaken for a compiler that works.
    fn fetch(&self, staging: &Staging, step: &Step) -> Result<()> {
        let _working = step.working("fetching Go modules");
        let mut list = self.go(staging);
        list.args(["list", "-deps"]).args(self.programs.iter().map(|program| program.package));
        command::watched(&mut list, SILENCE).map_err(|failure| {
            let hint = hint_about_modules(&failure.to_string(), self.wrapper);
            failure.hint(format!("{hint}. Or name builds of your own: {}", self.variables()))
        })
    }

    fn compile(&self, program: &Program, staging: &Staging, ready: &Path, step: &Step) -> Result<()> {
        let what = format!("building {} ({}, once)", program.name, self.duration);
        let _working = step.working(&what);
        let mut build = self.go(staging);
        build.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]);
        build.arg(ready.join(program.name)).arg(program.package);
        command::quietly(&mut build).map(|_| ())
    }

    /// Go as it is installed, for the wrapper module as it is written. Where modules come from is the user's choice.
    fn go(&self, staging: &Staging) -> Command {
        let mut go = Command::new("go");
        go.current_dir(&staging.path);
        go.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
        go.env("CGO_ENABLED", if self.c { "1" } else { "0" });
        go
    }

    fn variables(&self) -> String {
        self.programs.iter().map(|program| program.variable).collect::<Vec<_>>().join(", ")
    }
}

/// `go1.26.8`; unknown for what is between releases, which is given a try.
fn go_version(words: &str) -> Option<(u32, u32)> {
    let mut parts = words.trim().strip_prefix("go")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What to try when modules do not come.
fn hint_about_modules(words: &str, wrapper: &str) -> String {
    if words.contains("checksum mismatch") || words.contains("SECURITY ERROR") {
        return "the module proxy has sent something else than the authors published: use another GOPROXY"
            .into();
    }
    if words.contains("go.sum") || words.contains("updates to go.mod") {
        return format!(
            "go.mod and go.sum in {wrapper} do not fit together; tools/README.md says how to make them"
        );
    }
    "Go fetches modules from where `go env GOPROXY` says: is it reachable and quick? Behind a proxy set HTTPS_PROXY, \
     in a closed network set GOPROXY to a mirror, and try again; what has come so far is kept"
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{CONSUL, ETCD, NOMAD, OPENTOFU};

    #[test]
    fn a_wrapper_requires_the_pinned_version_and_has_its_hash() {
        for server in [&ETCD, &CONSUL, &NOMAD, &OPENTOFU] {
            let folder = workspace::root().join(server.wrapper);
            let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a wrapper module");
            let required = format!(" v{}\n", server.version);
            assert!(read("go.mod").contains(&required), "{} does not require{required}", server.wrapper);
            assert!(read("go.sum").contains(&format!(" v{} h1:", server.version)), "{}", server.wrapper);
            for program in server.programs {
                assert!(read("tools.go").contains(program.package), "{}", program.package);
            }
        }
    }

    #[test]
    fn the_version_of_go_is_read_and_what_is_no_release_is_given_a_try() {
        assert_eq!(go_version("go1.26.8\n"), Some((1, 26)));
        assert_eq!(go_version("go1.24\n"), Some((1, 24)));
        assert_eq!(go_version("devel go1.27-0a1b2c"), None);
        assert!(go_version("go1.19.8") < Some(ETCD.go));
    }

    #[test]
    fn a_network_a_forgery_and_a_wrong_wrapper_have_different_hints() {
        let hint = |words| hint_about_modules(words, "tools/etcd");
        assert!(hint("dial tcp: i/o timeout").contains("reachable"));
        assert!(hint("verifying module: checksum mismatch").contains("another GOPROXY"));
        assert!(hint("missing go.sum entry for module").contains("tools/etcd"));
    }
}
