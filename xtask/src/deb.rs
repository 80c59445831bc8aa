//! `cargo xtask deb`: the Debian package, laid out from a binary, built by cargo-deb and judged by lintian.
//!
//! What the package is made of is in packaging/ and in the metadata of crates/cli/Cargo.toml; manual pages and completions
//! come from the binary itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Attempt, Failure, Result};
use crate::progress::{self, Step, Steps};
use crate::tools::{self, PackageTools};
use crate::{USAGE, command, workspace};

/// The profile that cargo-deb is told, after which it looks for files in a folder of that name.
const PROFILE: &str = "deb";

/// Scripts by their shell.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "biplane"), ("zsh", "_biplane"), ("fish", "biplane.fish")];

/// The command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The binary to pack, instead of one that is built for it.
    binary: Option<PathBuf>,
    /// Where the package goes.
    output: Option<PathBuf>,
}

impl Options {
    /// `[--binary FILE] [--output DIR]`
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let place = match word.as_str() {
                "--binary" => &mut options.binary,
                "--output" => &mut options.output,
                other => return Err(Failure::usage(format!("deb does not take {other:?}"), USAGE)),
            };
            let value = words.next().ok_or_else(|| Failure::usage(format!("{word} names nothing"), USAGE))?;
            *place = Some(value.into());
        }
        Ok(options)
    }
}

/// `cargo xtask deb`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut steps = Steps::new(tools::STEPS_FOR_PACKAGES + 3);
    tools::for_builds(&mut steps)?;
    let tools = tools::for_packages(&mut steps)?;
    let step = steps.next("biplane");
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build(&step)?,
    };
    step.done("ready");
    let step = steps.next("package");
    let output = options.output.clone().unwrap_or_else(|| workspace::target().join("debian"));
    let package = Layout::of(&binary)?.pack(&tools, &output, &Edition::Released)?;
    judge(&package)?;
    step.done("lintian has nothing to say");
    progress::print(&format!("{}\n", package.display()));
    Ok(())
}

/// The package for tests, and one of an earlier version to come from; both are in the folder.
pub(crate) fn for_tests(binary: &Path, tools: &PackageTools, step: &Step) -> Result<PathBuf> {
    let folder = workspace::target().join("debian").join("tests");
    let layout = Layout::of(binary)?;
    step.say("packing two versions ...");
    let package = layout.pack(tools, &folder.join("biplane.deb"), &Edition::Quick(None))?;
    judge(&package)?;
    layout.pack(tools, &folder.join("biplane-earlier.deb"), &Edition::Quick(Some("0.0.9-1")))?;
    Ok(folder)
}

/// How much work a package is worth.
enum Edition<'a> {
    /// As small as can be.
    Released,
    /// For tests, of another version if one is named.
    Quick(Option<&'a str>),
}

fn build(step: &Step) -> Result<PathBuf> {
    step.say("building for release (several minutes) ...");
    let mut cargo = command::cargo();
    cargo.args(["build", "--locked", "--release", "--package", "biplane-cli"]);
    command::in_view(&mut cargo)?;
    Ok(workspace::target().join("release").join("biplane"))
}

/// The folder in which everything lies that is made from the binary.
struct Layout {
    folder: PathBuf,
}

impl Layout {
    fn of(binary: &Path) -> Result<Self> {
        let folder = workspace::target().join(PROFILE);
        let _ = fs::remove_dir_all(&folder);
        for part in ["man1", "man5", "completions"] {
            fs::create_dir_all(folder.join(part))
                .attempt(|| format!("cannot create {}", folder.display()))?;
        }
        let layout = Self { folder };
        let mut strip = Command::new("strip");
        command::quietly(strip.arg("-o").arg(layout.folder.join("biplane")).arg(binary))?;
        layout.manual()?;
        layout.completions()?;
        Ok(layout)
    }

    fn biplane(&self) -> Command {
        Command::new(self.folder.join("biplane"))
    }

    /// Pages are sorted by their sections and packed as Debian wants them.
    fn manual(&self) -> Result<()> {
        let made = self.folder.join("man");
        command::quietly(self.biplane().arg("man").arg(&made))?;
        let pages = fs::read_dir(&made).attempt(|| format!("cannot read {}", made.display()))?;
        for page in pages.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            command::quietly(Command::new("gzip").arg("-9n").arg(&page))?;
            let section = page.extension().unwrap_or_default().to_string_lossy().into_owned();
            let name = format!("{}.gz", page.file_name().unwrap_or_default().to_string_lossy());
            fs::rename(made.join(&name), self.folder.join(format!("man{section}")).join(&name))
                .attempt(|| format!("cannot move {name}"))?;
        }
        Ok(())
    }

    fn completions(&self) -> Result<()> {
        for (shell, file) in COMPLETIONS {
            let script = command::quietly(self.biplane().args(["completions", shell]))?;
            fs::write(self.folder.join("completions").join(file), script)
                .attempt(|| format!("cannot write {file}"))?;
        }
        Ok(())
    }

    /// The package; `output` is a folder, or the name of a file in one.
    fn pack(&self, tools: &PackageTools, output: &Path, edition: &Edition<'_>) -> Result<PathBuf> {
        // cargo-deb takes what is no folder yet for the name of the package.
        let is_file = output.extension().is_some_and(|extension| extension == "deb");
        let folder = output.parent().filter(|_| is_file).unwrap_or(output);
        fs::create_dir_all(folder).attempt(|| format!("cannot create {}", folder.display()))?;
        let mut deb = Command::new(&tools.cargo_deb);
        // It looks for the files in the folder of the profile there.
        deb.env("CARGO_TARGET_DIR", self.folder.parent().expect("the layout is in the target folder"));
        deb.current_dir(workspace::root()).args([
            "--package",
            "biplane-cli",
            "--no-build",
            "--no-strip",
            "--quiet",
        ]);
        deb.args(["--locked", "--compress-system", "--profile", PROFILE, "--output"]).arg(output);
        match edition {
            Edition::Released => {}
            Edition::Quick(version) => {
                deb.arg("--fast");
                if let Some(version) = version {
                    deb.args(["--deb-version", version]);
                }
            }
        }
        let said = command::quietly(&mut deb)?;
        said.lines().next_back().map(PathBuf::from).ok_or_else(|| Failure::new("cargo-deb named no package"))
    }
}

/// Debian's own judge of packages.
fn judge(package: &Path) -> Result<()> {
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--no-cfg", "--fail-on", "error,warning"]).arg(package);
    command::quietly(&mut lintian).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_binary_may_be_named_and_a_flag_without_its_value_is_refused() {
        assert_eq!(parse("").expect("valid"), Options::default());
        let named = parse("--binary target/debug/biplane --output /tmp").expect("valid");
        assert_eq!(named.binary, Some("target/debug/biplane".into()));
        assert_eq!(parse("--binary").expect_err("no value").exit_code(), 2);
        assert_eq!(parse("--fast").expect_err("unknown").exit_code(), 2);
    }
}
