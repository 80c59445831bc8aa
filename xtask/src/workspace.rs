//! The workspace as cargo sees it: packages, their edges and targets.

use std::path::{Path, PathBuf};

use crate::command;
use crate::failure::{Attempt, Failure, Result};
use crate::json::Json;

/// The root of the workspace: the parent of this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A package of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Its name in Cargo.toml.
    pub(crate) name: String,
    /// Its folder, relative to the root, with forward slashes.
    pub(crate) folder: String,
    /// The packages of this workspace that it names.
    pub(crate) edges: Vec<Edge>,
    /// The names of its benchmarks.
    pub(crate) benches: Vec<String>,
}

/// A dependency on another package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The folder of the other package.
    pub(crate) to: String,
    /// Whether only tests and benchmarks see it.
    pub(crate) dev: bool,
}

/// Reads the packages of the workspace from cargo.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let metadata = command::quietly(command::cargo().args(arguments))?;
    read(&metadata)
}

/// Reads the answer of `cargo metadata`.
pub(crate) fn read(metadata: &str) -> Result<Vec<Package>> {
    let metadata = Json::parse(metadata).attempt(|| "cargo metadata".into())?;
    let root = text(metadata.get("workspace_root"), "workspace_root")?;
    let mut packages: Vec<Package> = metadata
        .get("packages")
        .items()
        .iter()
        .map(|package| package_of(package, &root))
        .collect::<Result<_>>()?;
    packages.sort_by(|left, right| left.folder.cmp(&right.folder));
    Ok(packages)
}

fn package_of(package: &Json, root: &str) -> Result<Package> {
    let manifest = PathBuf::from(text(package.get("manifest_path"), "manifest_path")?);
    let folder = manifest.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    Ok(Package {
        name: text(package.get("name"), "name")?,
        folder: relative(&folder, root),
        edges: package.get("dependencies").items().iter().filter_map(|edge| edge_of(edge, root)).collect(),
        benches: package.get("targets").items().iter().filter_map(bench_of).collect(),
    })
}

/// Only dependencies with a path are ours.
fn edge_of(dependency: &Json, root: &str) -> Option<Edge> {
    let path = dependency.get("path").text()?;
    Some(Edge { to: relative(path, root), dev: dependency.get("kind").text() == Some("dev") })
}

fn bench_of(target: &Json) -> Option<String> {
    let is_bench = target.get("kind").items().iter().any(|kind| kind.text() == Some("bench"));
    is_bench.then(|| target.get("name").text().map(str::to_owned))?
}

fn relative(path: &str, root: &str) -> String {
    path.strip_prefix(root).unwrap_or(path).trim_start_matches('/').to_owned()
}

fn text(value: &Json, what: &str) -> Result<String> {
    value.text().map(str::to_owned).ok_or_else(|| Failure::new(format!("cargo metadata has no {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_edges_and_benches_are_read_from_cargo_metadata() {
        let metadata = r#"{"workspace_root": "/w", "packages": [{
            "name": "biplane-xds", "manifest_path": "/w/crates/xds/Cargo.toml",
            "dependencies": [
                {"name": "serde", "kind": null},
                {"name": "biplane-core", "kind": null, "path": "/w/crates/core"},
                {"name": "biplane-testkit", "kind": "dev", "path": "/w/crates/testkit"}],
            "targets": [{"kind": ["lib"], "name": "biplane_xds"}, {"kind": ["bench"], "name": "fan_out"}]
        }]}"#;
        let packages = read(metadata).expect("valid metadata");
        assert_eq!(packages[0].folder, "crates/xds");
        assert_eq!(
            packages[0].edges,
            [Edge { to: "crates/core".into(), dev: false }, Edge { to: "crates/testkit".into(), dev: true }]
        );
        assert_eq!(packages[0].benches, ["fan_out"]);
    }
}
