//! What the tests said, per package: read line by line from cargo's output, and never kinder than cargo is.
//!
//! A binary that ends without a result counts as a failure, and so do a run of no tests and a test left out.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::Path;

use crate::json::Json;

/// Which package each test binary belongs to, by the binary's file name.
#[derive(Debug, Default)]
pub(super) struct Binaries {
    packages: HashMap<String, String>,
    /// Libraries by crate name, as doc tests are announced.
    libraries: HashMap<String, String>,
}

impl Binaries {
    /// Reads the messages of `cargo test --no-run --message-format json`.
    pub(super) fn read(messages: &str) -> Self {
        let mut binaries = Self::default();
        for message in messages.lines().filter_map(|line| Json::parse(line).ok()) {
            let Some(package) = message.get("package_id").text().map(package_name) else { continue };
            if let Some(executable) = message.get("executable").text() {
                binaries.packages.insert(file_name(executable).to_owned(), package.clone());
            }
            if let Some(target) = message.get("target").get("name").text() {
                binaries.libraries.insert(target.replace('-', "_"), package);
            }
        }
        binaries
    }

    fn package(&self, executable: &str) -> String {
        let name = file_name(executable);
        self.packages.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn library(&self, name: &str) -> String {
        self.libraries.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }
}

/// `path+file:///w/crates/core#biplane-core@0.1.0` and `path+file:///w/xtask#0.1.0`, where the folder is the name.
fn package_name(id: &str) -> String {
    let (path, fragment) = id.split_once('#').unwrap_or(("", id));
    match fragment.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => file_name(path).to_owned(),
    }
}

fn file_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

/// The sums of one package.
#[derive(Debug, Default, Clone, PartialEq)]
struct Sums {
    passed: usize,
    failed: usize,
    ignored: usize,
    seconds: f64,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    binaries: Binaries,
    packages: BTreeMap<String, Sums>,
    failures: Vec<String>,
    /// The package whose binary runs now, until its result is read.
    running: Option<String>,
    cargo_failed: bool,
}

impl Report {
    /// Nothing read yet.
    pub(super) fn new(binaries: Binaries) -> Self {
        Self { binaries, ..Self::default() }
    }

    /// Takes in a line, and says whether a person wants to see it.
    pub(super) fn line(&mut self, line: &str) -> bool {
        if let Some(package) = self.announced(line) {
            self.no_result();
            self.running = Some(package);
            return true;
        }
        if let Some(sums) = result(line) {
            let package = self.running.take().unwrap_or_else(|| "unknown".into());
            self.packages.entry(package).or_default().add(&sums);
            return sums.ran() > 0;
        }
        if let Some(name) = failed_test(line) {
            let package = self.running.as_deref().unwrap_or("unknown");
            self.failures.push(format!("{package}: {name}"));
        }
        !is_noise(line)
    }

    /// Cargo is done.
    pub(super) fn end(&mut self, success: bool) {
        self.no_result();
        self.cargo_failed = !success;
    }

    /// Whether nothing failed, nothing was left out and something ran.
    pub(super) fn is_green(&self) -> bool {
        self.fault().is_none()
    }

    /// Why the run is not green.
    pub(super) fn fault(&self) -> Option<String> {
        let sums = self.sums();
        if sums.failed > 0 {
            return Some(format!("failed tests: {}\n  {}", sums.failed, self.failures.join("\n  ")));
        }
        if self.cargo_failed {
            return Some("cargo test failed, see its words above".into());
        }
        if sums.ignored > 0 {
            return Some(format!("{} tests were left out; a test that cannot run must fail", sums.ignored));
        }
        (sums.passed == 0).then(|| "no test ran".into())
    }

    /// One line a package.
    pub(super) fn table(&self) -> String {
        let width = self.packages.keys().map(String::len).max().unwrap_or(0).max("package".len());
        let mut table = format!("\n{:width$}  passed  failed     time\n", "package");
        for (package, sums) in self.packages.iter().filter(|(_, sums)| sums.ran() > 0) {
            let _ = writeln!(
                table,
                "{package:width$}  {:6}  {:6}  {:5.1} s",
                sums.passed, sums.failed, sums.seconds
            );
        }
        for failure in &self.failures {
            let _ = writeln!(table, "FAILED {failure}");
        }
        table
    }

    /// The last line.
    pub(super) fn total(&self) -> String {
        let sums = self.sums();
        let mut line = format!("total: {} passed, {} failed", sums.passed, sums.failed);
        if sums.ignored > 0 {
            let _ = write!(line, ", {} skipped", sums.ignored);
        }
        line + "\n"
    }

    /// The package that a line of cargo announces.
    fn announced(&self, line: &str) -> Option<String> {
        let line = line.trim_start();
        if let Some(library) = line.strip_prefix("Doc-tests ") {
            return Some(self.binaries.library(library.trim()));
        }
        let (_, executable) = line.strip_prefix("Running ")?.rsplit_once('(')?;
        Some(self.binaries.package(executable.strip_suffix(')')?))
    }

    /// A binary that gave no result has crashed.
    fn no_result(&mut self) {
        if let Some(package) = self.running.take() {
            self.failures.push(format!("{package}: a test binary ended without a result"));
            self.packages.entry(package).or_default().failed += 1;
        }
    }

    fn sums(&self) -> Sums {
        let mut total = Sums::default();
        self.packages.values().for_each(|sums| total.add(sums));
        total
    }
}

impl Sums {
    fn ran(&self) -> usize {
        self.passed + self.failed
    }

    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.seconds += other.seconds;
    }
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`
fn result(line: &str) -> Option<Sums> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut sums = Sums::default();
    for part in counts.split("; ") {
        match part.trim().rsplit_once(' ') {
            Some((count, "passed")) => sums.passed = count.parse().ok()?,
            Some((count, "failed")) => sums.failed = count.parse().ok()?,
            Some((count, "ignored")) => sums.ignored = count.parse().ok()?,
            Some(("finished in", time)) => sums.seconds = time.trim_end_matches('s').parse().ok()?,
            _ => {}
        }
    }
    Some(sums)
}

fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// What says nothing new on a green run.
fn is_noise(line: &str) -> bool {
    let one_test = line.starts_with("test ") && line.ends_with(" ... ok");
    let announcement = line.starts_with("running ") && line.ends_with(['t', 's']);
    let doc_tests = line.starts_with("all doctests ran in ");
    one_test || announcement || doc_tests || line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = concat!(
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/core#biplane-core@0.1.0","#,
        r#""target":{"name":"biplane_core"},"executable":"/w/target/debug/deps/biplane_core-1"}"#,
        "\n",
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/xtask#0.1.0","#,
        r#""target":{"name":"xtask"},"executable":"/w/target/debug/deps/xtask-2"}"#,
        "\n",
    );

    fn report(output: &str, success: bool) -> Report {
        let mut report = Report::new(Binaries::read(MESSAGES));
        for line in output.lines() {
            report.line(line);
        }
        report.end(success);
        report
    }

    #[test]
    fn results_are_summed_per_package() {
        let report = report(
            "     Running unittests src/lib.rs (target/debug/deps/biplane_core-1)\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s\n\
             \x20    Running unittests src/main.rs (target/debug/deps/xtask-2)\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
             \x20  Doc-tests biplane_core\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.25s\n",
            true,
        );
        assert_eq!(report.packages["biplane-core"], Sums { passed: 5, seconds: 0.75, ..Sums::default() });
        assert_eq!(report.packages["xtask"].passed, 1);
        assert_eq!(report.total(), "total: 6 passed, 0 failed\n");
        assert!(report.is_green());
    }

    #[test]
    fn a_failed_test_is_named_with_its_package() {
        let report = report(
            "     Running unittests src/lib.rs (target/debug/deps/biplane_core-1)\n\
             test name::is_checked ... FAILED\n\
             test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s\n",
            false,
        );
        assert_eq!(report.failures, ["biplane-core: name::is_checked"]);
        assert!(report.fault().expect("not green").contains("failed tests: 1"));
    }

    #[test]
    fn a_binary_without_a_result_is_a_failure() {
        let report = report("     Running unittests src/lib.rs (target/debug/deps/biplane_core-1)\n", false);
        assert_eq!(report.total(), "total: 0 passed, 1 failed\n");
    }

    #[test]
    fn a_run_of_no_tests_or_with_a_test_left_out_is_not_green() {
        assert!(!report("", true).is_green());
        let left_out = report(
            "     Running unittests src/lib.rs (target/debug/deps/biplane_core-1)\n\
             test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.50s\n",
            true,
        );
        assert!(!left_out.is_green());
        assert_eq!(left_out.total(), "total: 3 passed, 0 failed, 1 skipped\n");
    }

    #[test]
    fn passing_tests_are_not_shown_and_everything_else_is() {
        let mut report = Report::new(Binaries::default());
        assert!(!report.line("test a::b ... ok"));
        assert!(!report.line("running 12 tests"));
        assert!(report.line("thread 'a::b' panicked at src/lib.rs:1:1:"));
    }
}
