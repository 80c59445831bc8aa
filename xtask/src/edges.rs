//! The check of the crate edges: who may depend on whom, as ARCHITECTURE.md draws it.
//!
//! A crate that is not in the table fails the check, so that a new one gets its place on purpose.

use crate::failure::{Failure, Result};
use crate::progress;
use crate::workspace::{self, Edge, Package};

/// Where a crate sits and what it may name. `*` at the end of a folder stands for one more folder name.
struct Rule {
    folder: &'static str,
    may_use: &'static [&'static str],
}

/// The layers, from the ground up.
const RULES: &[Rule] = &[
    // Leaves: nothing of ours.
    Rule { folder: "crates/core", may_use: &[] },
    Rule { folder: "crates/xds", may_use: &[] },
    Rule { folder: "crates/aws", may_use: &[] },
    Rule { folder: "crates/tls", may_use: &[] },
    Rule { folder: "xtask", may_use: &[] },
    // What clients of Consul, Nomad and Vault have in common.
    Rule { folder: "crates/agent", may_use: &["crates/core"] },
    Rule { folder: "crates/consul-client", may_use: &["crates/agent"] },
    // What knows resources.
    Rule { folder: "crates/store", may_use: &["crates/core"] },
    Rule { folder: "crates/source", may_use: &["crates/core"] },
    Rule { folder: "crates/tags", may_use: &["crates/core"] },
    Rule { folder: "crates/identity", may_use: &["crates/core"] },
    Rule { folder: "crates/translator", may_use: &["crates/core"] },
    Rule { folder: "crates/admin-api", may_use: &["crates/core"] },
    Rule { folder: "crates/admin", may_use: &["crates/admin-api", "crates/core", "crates/tls"] },
    Rule { folder: "crates/terraform-provider", may_use: &["crates/admin-api"] },
    // Backends and adapters: a trait, the leaves, and nothing above.
    Rule { folder: "storage-backends/*", may_use: BACKEND },
    Rule { folder: "crates/adapters/*", may_use: BACKEND },
    Rule { folder: "nomad/adapter", may_use: BACKEND },
    // The middle, which knows no backend.
    Rule {
        folder: "crates/control-plane",
        may_use: &[
            "crates/admin",
            "crates/admin-api",
            "crates/core",
            "crates/identity",
            "crates/source",
            "crates/store",
            "crates/tags",
            "crates/tls",
            "crates/translator",
            "crates/xds",
        ],
    },
    // What changes a store's objects: it judges them as the control plane does, and knows no backend either.
    Rule {
        folder: "crates/editor",
        may_use: &["crates/admin-api", "crates/control-plane", "crates/core", "crates/store"],
    },
    // The top, which joins them.
    Rule {
        folder: "crates/cli",
        may_use: &["crates/*", "crates/adapters/*", "storage-backends/*", "nomad/adapter"],
    },
    // For tests only. The testkit judges the others by what they do, and shares no code with them.
    Rule { folder: TESTKIT, may_use: &[] },
    Rule {
        folder: "tests",
        may_use: &["crates/*", "crates/adapters/*", "storage-backends/*", "nomad/adapter"],
    },
];

const BACKEND: &[&str] =
    &["crates/core", "crates/store", "crates/source", "crates/agent", "crates/aws", "crates/consul-client"];
const TESTKIT: &str = "crates/testkit";

/// `cargo xtask edges`.
pub(crate) fn run() -> Result<()> {
    let packages = workspace::packages()?;
    check(&packages)?;
    progress::say(&format!("crate edges: {} packages, all as drawn", packages.len()));
    Ok(())
}

/// Fails with every edge that is not drawn.
pub(crate) fn check(packages: &[Package]) -> Result<()> {
    let faults: Vec<String> = packages.iter().flat_map(faults_of).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("crate edges that nobody drew:\n{}", faults.join("\n"))).hint(
        "move the code, or, if the design changed, the table in xtask/src/edges.rs and ARCHITECTURE.md",
    ))
}

fn faults_of(package: &Package) -> Vec<String> {
    let Some(rule) = RULES.iter().find(|rule| matches(rule.folder, &package.folder)) else {
        return vec![format!("  {} has no place in the table", package.folder)];
    };
    let undrawn = package.edges.iter().filter(|edge| !allowed(rule, edge));
    undrawn.map(|edge| format!("  {} -> {}", package.folder, edge.to)).collect()
}

fn allowed(rule: &Rule, edge: &Edge) -> bool {
    if edge.to == TESTKIT {
        return edge.dev;
    }
    rule.may_use.iter().any(|folder| matches(folder, &edge.to))
}

fn matches(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => pattern == folder,
        Some(prefix) => {
            folder.strip_prefix(prefix).is_some_and(|name| !name.is_empty() && !name.contains('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, edges: &[(&str, bool)]) -> Package {
        Package {
            name: folder.into(),
            folder: folder.into(),
            edges: edges.iter().map(|(to, dev)| Edge { to: (*to).into(), dev: *dev }).collect(),
            benches: Vec::new(),
        }
    }

    #[test]
    fn the_workspace_keeps_to_the_drawing() {
        check(&workspace::packages().expect("cargo metadata works")).expect("no other edges");
    }

    #[test]
    fn xds_knows_no_crate_of_ours() {
        let failure =
            check(&[package("crates/xds", &[("crates/core", false)])]).expect_err("an undrawn edge");
        assert!(failure.to_string().contains("crates/xds -> crates/core"));
    }

    #[test]
    fn only_cli_joins_backends() {
        assert!(check(&[package("crates/control-plane", &[("storage-backends/file", false)])]).is_err());
        assert!(check(&[package("crates/cli", &[("storage-backends/file", false)])]).is_ok());
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        assert!(check(&[package("crates/xds", &[(TESTKIT, true)])]).is_ok());
        assert!(check(&[package("crates/cli", &[(TESTKIT, false)])]).is_err());
    }

    #[test]
    fn a_backend_is_tested_with_the_testkit_and_tests_with_everything() {
        assert!(
            check(&[package("storage-backends/etcd", &[("crates/store", false), (TESTKIT, true)])]).is_ok()
        );
        assert!(check(&[package("storage-backends/etcd", &[(TESTKIT, false)])]).is_err());
        let all =
            [("storage-backends/etcd", true), ("crates/admin-api", true), ("crates/consul-client", true)];
        assert!(check(&[package("tests", &all)]).is_ok());
    }

    #[test]
    fn a_crate_without_a_place_in_the_table_fails() {
        assert!(check(&[package("crates/new", &[])]).is_err());
    }
}
