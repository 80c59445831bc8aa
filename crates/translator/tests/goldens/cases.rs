//! The files of the goldens.

use std::fs;
use std::path::{Path, PathBuf};

/// One case: a file of resources.
pub(crate) struct Case(PathBuf);

impl Case {
    /// The path below `src`, for people.
    pub(crate) fn name(&self) -> String {
        self.0.strip_prefix(sources()).unwrap_or(&self.0).display().to_string()
    }

    /// The resources.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_else(|why| panic!("cannot read {}: {why}", self.name()))
    }

    /// Where its golden is.
    pub(crate) fn golden(&self) -> PathBuf {
        self.0.with_extension("json")
    }
}

/// All cases, sorted.
pub(crate) fn all() -> Vec<Case> {
    let cases: Vec<Case> = found("yaml").into_iter().map(Case).collect();
    assert!(!cases.is_empty(), "there are no cases below {}", sources().display());
    cases
}

/// All goldens, sorted.
pub(crate) fn goldens() -> Vec<PathBuf> {
    found("json")
}

fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

fn found(extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(sources(), extension, &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are readable") {
        let path = entry.expect("the sources are readable").path();
        let in_testdata = folder.file_name().is_some_and(|name| name == "testdata");
        if path.is_dir() {
            collect(&path, extension, files);
        } else if in_testdata && path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}

/// The lines between the common begin and the common end, `-` before and `+` now.
pub(crate) fn difference(was: &str, is: &str) -> String {
    let (was, is): (Vec<_>, Vec<_>) = (was.lines().collect(), is.lines().collect());
    let begin = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let rest = (was.len() - begin).min(is.len() - begin);
    let end = was.iter().rev().zip(is.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let context = was[begin.saturating_sub(3)..begin].iter().map(|line| format!("  {line}"));
    let old = was[begin..was.len() - end].iter().map(|line| format!("- {line}"));
    let new = is[begin..is.len() - end].iter().map(|line| format!("+ {line}"));
    context.chain(old).chain(new).collect::<Vec<_>>().join("\n")
}
