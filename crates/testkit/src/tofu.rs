//! A real OpenTofu: a folder with a configuration, and the command that plans and applies it.
//!
//! Providers come from a mirror in a directory and from nowhere else, so nothing is asked of any registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::command::{self, Output};
use crate::directory::TempDir;
use crate::tools::Tool;

const TOFU: Tool = Tool { variable: "BIPLANE_TOFU", package: "opentofu", version: "1.12.6", file: "tofu" };

/// Where the mirror has a provider: registry, namespace, type.
const SOURCE: &str = "registry.opentofu.org/biplane/biplane";

/// How long a command may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// A folder with a configuration.
#[derive(Debug)]
pub struct Tofu {
    folder: PathBuf,
    cli_config: PathBuf,
}

/// OpenTofu's own command: `BIPLANE_TOFU`, or what `cargo xtask tools` has installed.
pub fn binary() -> PathBuf {
    TOFU.path()
}

/// The provider that cargo built beside this test.
pub fn provider() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let profile = test.ancestors().nth(2).expect("tests are built in target/<profile>/deps");
    let path = profile.join("terraform-provider-biplane");
    let hint = "run `cargo build -p biplane-terraform-provider`";
    assert!(path.is_file(), "there is no {}: {hint}", path.display());
    path
}

/// Lays out a mirror with the provider in it, and a file that makes OpenTofu use it and no registry: the file's path.
pub fn mirror(directory: &Path, provider: &Path, version: &str) -> PathBuf {
    let mirror = directory.join("mirror");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let package = mirror.join(SOURCE).join(version).join(format!("linux_{architecture}"));
    fs::create_dir_all(&package).expect("the temporary directory is writable");
    let target = package.join(format!("terraform-provider-biplane_v{version}"));
    // The binary may be on another file system, and a build may replace it while the test runs.
    fs::copy(provider, &target).expect("the provider can be copied");
    let config = directory.join("tofu.rc");
    let text = format!(
        "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n",
        mirror.display().to_string()
    );
    fs::write(&config, text).expect("the temporary directory is writable");
    config
}

impl Tofu {
    /// A folder that uses the provider of this build as version `version`. It is not initialised yet.
    pub fn open(directory: &TempDir, version: &str) -> Self {
        let cli_config = mirror(directory.path(), &provider(), version);
        Self { folder: directory.folder("configuration"), cli_config }
    }

    /// Where the configuration is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one of its files.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).expect("the temporary directory is writable");
    }

    /// Runs a command in it.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let command = self.command(arguments);
        command::run(command, b"", PATIENCE).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Runs a command that has to work; what it says.
    pub async fn works(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert_eq!(output.code, 0, "tofu {arguments:?}: {}{}", output.stdout, output.stderr);
        output.stdout
    }

    /// What the state holds, as JSON.
    pub async fn state(&self) -> Value {
        let shown = self.works(&["show", "-json"]).await;
        serde_json::from_str(&shown).expect("`tofu show -json` prints JSON")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = TOFU.command();
        command.current_dir(&self.folder).args(arguments);
        command.env("TF_CLI_CONFIG_FILE", &self.cli_config).env("TF_IN_AUTOMATION", "1");
        command.env("TF_CLI_ARGS", "-no-color");
        command
    }
}
