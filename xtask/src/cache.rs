//! The per-user cache of tools: `<cache>/biplane/tools/<name>/<version>/`.
//!
//! A tool appears there in one rename, complete and checked, or not at all. Two installers at a time are
//! harmless: the second finds the first one's result and throws its own away.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::failure::{Attempt, Failure, Result};

/// Where tools live.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of the user who runs us.
    pub(crate) fn of_user() -> Result<Self> {
        let base = match (variable("XDG_CACHE_HOME"), variable("HOME")) {
            (Some(cache), _) => cache,
            (None, Some(home)) => home.join(".cache"),
            (None, None) => {
                return Err(Failure::new("neither XDG_CACHE_HOME nor HOME is set")
                    .hint("set XDG_CACHE_HOME to a folder"));
            }
        };
        Ok(Self { root: base.join("biplane").join("tools") })
    }

    /// The folder of one version of a tool.
    pub(crate) fn tool(&self, name: &str, version: &str) -> PathBuf {
        self.root.join(name).join(version)
    }

    /// An empty folder on the same file system, gone when dropped.
    pub(crate) fn staging(&self, name: &str) -> Result<Staging> {
        let path = self.root.join(format!(".installing-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).attempt(|| format!("cannot create {}", path.display()))?;
        Ok(Staging { path })
    }

    /// Puts `ready` in the place of one version of a tool, in one rename.
    pub(crate) fn publish(&self, ready: &Path, name: &str, version: &str) -> Result<()> {
        let home = self.tool(name, version);
        fs::create_dir_all(self.root.join(name))
            .attempt(|| format!("cannot create {}", self.root.display()))?;
        if fs::rename(ready, &home).is_ok() {
            return Ok(());
        }
        // Something is there already: a broken install, which goes, or another installer's, which may go as well.
        let _ = fs::remove_dir_all(&home);
        fs::rename(ready, &home).attempt(|| format!("cannot install into {}", home.display()))
    }

    /// Lets one version of a tool be found under the name of another.
    pub(crate) fn alias(&self, name: &str, alias: &str, version: &str) -> Result<()> {
        let home = self.tool(name, alias);
        relink(version, &home).attempt(|| format!("cannot link {}", home.display()))
    }
}

/// Puts a link in the place of whatever is there, without a moment in which there is nothing.
fn relink(target: &str, home: &Path) -> std::io::Result<()> {
    if fs::read_link(home).is_ok_and(|present| present == Path::new(target)) {
        return Ok(());
    }
    let fresh = home.with_file_name(format!(".linking-{target}-{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    symlink(target, &fresh)?;
    fs::rename(&fresh, home)
}

/// A folder for an installation under way.
pub(crate) struct Staging {
    /// Where it is.
    pub(crate) path: PathBuf,
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What a tool is made of, as part of its key: the names and contents of these files, and a word. FNV-1a: no secret,
/// and the same on every machine and with every Rust.
pub(crate) fn fingerprint(files: &[PathBuf], word: &str) -> Result<u64> {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for file in files {
        let content = fs::read(file).attempt(|| format!("cannot read {}", file.display()))?;
        add(file.file_name().unwrap_or_default().as_encoded_bytes());
        add(&[0]);
        add(&content);
        add(&[0]);
    }
    add(word.as_bytes());
    Ok(hash)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishing_replaces_a_broken_install_and_leaves_no_staging_behind() {
        let root = std::env::temp_dir().join(format!("biplane-xtask-cache-{}", std::process::id()));
        let cache = Cache { root: root.clone() };
        fs::create_dir_all(cache.tool("envoy", "1.0.0")).expect("a writable temporary directory");
        fs::write(cache.tool("envoy", "1.0.0").join("half"), "").expect("a writable temporary directory");

        let staging = cache.staging("envoy").expect("a writable temporary directory");
        let ready = staging.path.join("ready");
        fs::create_dir(&ready).expect("a writable temporary directory");
        fs::write(ready.join("envoy"), "whole").expect("a writable temporary directory");
        cache.publish(&ready, "envoy", "1.0.0").expect("the broken install makes room");
        drop(staging);

        let installed = fs::read_to_string(cache.tool("envoy", "1.0.0").join("envoy"));
        let entries = fs::read_dir(&root).expect("the cache exists").count();
        let _ = fs::remove_dir_all(&root);
        assert_eq!(installed.expect("the tool is in place"), "whole");
        assert_eq!(entries, 1, "only the folder of envoy is left");
    }

    #[test]
    fn a_fingerprint_changes_with_every_file_and_with_the_word() {
        let here = crate::workspace::root();
        let files = [here.join("Cargo.toml"), here.join("Cargo.lock")];
        let all = fingerprint(&files, "word").expect("readable");
        assert_eq!(fingerprint(&files, "word").expect("readable"), all);
        assert_ne!(fingerprint(&files, "words").expect("readable"), all);
        assert_ne!(fingerprint(&files[1..], "word").expect("readable"), all);
    }

    #[test]
    fn an_alias_leads_to_the_version_that_was_linked_last() {
        let root = std::env::temp_dir().join(format!("biplane-xtask-alias-{}", std::process::id()));
        let cache = Cache { root: root.clone() };
        for version in ["1.0.0-a", "1.0.0-b"] {
            fs::create_dir_all(cache.tool("client", version)).expect("a writable temporary directory");
            fs::write(cache.tool("client", version).join("client"), version).expect("the folder is there");
            cache.alias("client", "1.0.0", version).expect("a link takes the place of a link");
        }

        let found = fs::read_to_string(cache.tool("client", "1.0.0").join("client"));
        let entries = fs::read_dir(root.join("client")).expect("the cache exists").count();
        let _ = fs::remove_dir_all(&root);
        assert_eq!(found.expect("the alias leads somewhere"), "1.0.0-b");
        assert_eq!(entries, 3, "two versions, one alias and nothing else");
    }
}
