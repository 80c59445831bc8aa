//! `cargo xtask provider`: the provider for OpenTofu and Terraform as registries and mirrors have it.
//!
//! ```text
//! target/provider/terraform-provider-biplane_VERSION_OS_ARCH.zip     the binary
//!                 terraform-provider-biplane_VERSION_manifest.json   the protocol that it speaks
//!                 terraform-provider-biplane_VERSION_SHA256SUMS      of both; whoever publishes them signs this
//! ```
//!
//! With `--mirror DIR` the archive also goes where a `filesystem_mirror` looks for it. Equal binaries make equal archives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Attempt, Failure, Result};
use crate::json::Json;
use crate::progress::{self, Step, Steps};
use crate::tools::debian;
use crate::{USAGE, command, workspace};

const NAME: &str = "terraform-provider-biplane";

/// Where a mirror has it: registry, namespace, type.
const SOURCE: &str = "registry.opentofu.org/biplane/biplane";

/// Writes an archive with one file that may be executed, and no date. (zlib is in every Python.)
const ZIP: &str = "\
import sys, zipfile
archive, member, binary = sys.argv[1:]
entry = zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0))
entry.external_attr, entry.compress_type = 0o100755 << 16, zipfile.ZIP_DEFLATED
with zipfile.ZipFile(archive, 'w') as out, open(binary, 'rb') as source:
    out.writestr(entry, source.read())
";

/// The command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// As quick as possible, not as small.
    debug: bool,
    /// The root of a mirror.
    mirror: Option<PathBuf>,
}

impl Options {
    /// `[--debug] [--mirror DIR]`
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match (argument.as_str(), &mut options) {
                ("--debug", options) => options.debug = true,
                ("--mirror", options) => {
                    let missing = || Failure::usage("--mirror takes a folder", USAGE);
                    options.mirror = Some(arguments.next().ok_or_else(missing)?.into());
                }
                (other, _) => {
                    return Err(Failure::usage(format!("provider does not take {other:?}"), USAGE));
                }
            }
        }
        Ok(options)
    }
}

/// `cargo xtask provider`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(3);
    let step = steps.next("Python");
    debian::install(debian::FOR_WHEELS, &step)?;
    step.done("ready");
    let step = steps.next("provider");
    let binary = build(options.debug, &step)?;
    step.done("built");
    let step = steps.next("archive");
    let release = Release { version: env!("CARGO_PKG_VERSION"), folder: target().join("provider") };
    let archive = release.pack(&binary)?;
    if let Some(mirror) = &options.mirror {
        fill(mirror, &archive)?;
    }
    step.done("packed");
    progress::print(&format!("{}\n", archive.display()));
    Ok(())
}

fn build(debug: bool, step: &Step) -> Result<PathBuf> {
    step.say("building ...");
    let mut cargo = command::cargo();
    cargo.args(["build", "--locked", "--package", "biplane-terraform-provider"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    if !debug {
        cargo.arg("--release");
    }
    let messages = command::messages(&mut cargo)?;
    let executable = |line: &str| Json::parse(line).ok()?.get("executable").text().map(PathBuf::from);
    let executable = messages.lines().filter_map(executable).next_back();
    executable.ok_or_else(|| Failure::new(format!("cargo built no binary named {NAME}")))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace::root().join("target"), PathBuf::from)
}

/// What is published of one version, for the system that this runs on.
struct Release {
    version: &'static str,
    folder: PathBuf,
}

impl Release {
    /// Makes the archive, the manifest and their hashes.
    fn pack(&self, binary: &Path) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).attempt(|| format!("cannot create {}", self.folder.display()))?;
        let archive = self.file(&format!("{}.zip", system()));
        let member = format!("{NAME}_v{}", self.version);
        let mut python = Command::new("python3");
        command::quietly(python.args(["-c", ZIP]).arg(&archive).arg(member).arg(binary))?;
        let manifest = self.file("manifest.json");
        write(&manifest, MANIFEST)?;
        let names = [&archive, &manifest].map(|path| path.file_name().unwrap_or_default());
        let mut sums = Command::new("sha256sum");
        let sums = command::quietly(sums.args(names).current_dir(&self.folder))?;
        write(&self.file("SHA256SUMS"), &sums)?;
        Ok(archive)
    }

    fn file(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{NAME}_{}_{end}", self.version))
    }
}

/// Puts the archive where `filesystem_mirror` looks for it.
fn fill(mirror: &Path, archive: &Path) -> Result<()> {
    let folder = mirror.join(SOURCE);
    let copied = fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(archive, folder.join(archive.file_name().unwrap_or_default())));
    copied.map(drop).attempt(|| format!("cannot fill the mirror {}", folder.display()))
}

/// What registries want to know before they offer it.
const MANIFEST: &str =
    "{\n  \"version\": 1,\n  \"metadata\": {\n    \"protocol_versions\": [\"6.0\"]\n  }\n}\n";

/// The system as Go calls it, and OpenTofu with it.
fn system() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}_{architecture}", std::env::consts::OS)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).attempt(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_the_names_that_registries_and_mirrors_look_for() {
        let folder = std::env::temp_dir().join(format!("biplane-provider-{}", std::process::id()));
        let release = Release { version: "1.2.3", folder: folder.join("release") };
        let archive = release.pack(Path::new("/bin/true")).expect("Python and coreutils are there");
        fill(&folder.join("mirror"), &archive).expect("writable");
        let zip = format!("{NAME}_1.2.3_{}.zip", system());
        let sums = fs::read_to_string(release.file("SHA256SUMS")).expect("written");
        let names: Vec<_> = sums.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(names, [zip.as_str(), "terraform-provider-biplane_1.2.3_manifest.json"]);
        assert!(folder.join("mirror").join(SOURCE).join(&zip).is_file());
        let listing = command::quietly(Command::new("python3").args(["-m", "zipfile", "-l"]).arg(&archive));
        assert!(listing.expect("an archive").contains("terraform-provider-biplane_v1.2.3 "));
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn the_command_line_is_read() {
        let parse = |line: &str| Options::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let expected = Options { debug: true, mirror: Some("/m".into()) };
        assert_eq!(parse("--debug --mirror /m").expect("valid"), expected);
        assert_eq!(parse("--mirror").expect_err("no folder").exit_code(), 2);
    }
}
