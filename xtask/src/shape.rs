//! The shape of the sources that no other tool checks: short files that say what they own, and no test that
//! is left out.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Attempt, Failure, Result};
use crate::workspace;

/// A file of more lines has two ideas; give each its own file.
const MOST_LINES: usize = 600;

/// Folders that hold no source of ours.
const SKIPPED: &[&str] = &["target", "node_modules"];

/// Fails with every fault in every Rust file.
pub(crate) fn check() -> Result<()> {
    let mut files = Vec::new();
    collect(workspace::root(), &mut files)?;
    files.sort();
    let mut faults = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).attempt(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(workspace::root()).unwrap_or(file).display().to_string();
        faults.extend(faults_of(&text).into_iter().map(|fault| format!("  {name}: {fault}")));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("the shape of the sources:\n{}", faults.join("\n"))))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).attempt(|| format!("cannot read {}", folder.display()))?;
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !path.is_symlink() && !name.starts_with('.') && !SKIPPED.contains(&&*name) {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn faults_of(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        faults.push(format!("{lines} lines, the most is {MOST_LINES}"));
    }
    if !text.starts_with("//!") {
        faults.push("does not begin with //! and what it owns".into());
    }
    if text.lines().any(|line| line.trim_start().starts_with(concat!("#[", "ignore"))) {
        faults.push("leaves a test out; a test that cannot run must fail".into());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_that_says_what_it_owns_has_no_fault() {
        assert_eq!(faults_of("//! Owns nothing.\n"), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_named() {
        let text = format!("{}#[{}]\n", "fn f() {}\n".repeat(MOST_LINES), "ignore");
        assert_eq!(faults_of(&text).len(), 3);
    }
}
