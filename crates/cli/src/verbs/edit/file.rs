//! The file that a person edits: readable by nobody else, with the findings of a refusal on top.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use biplane_admin_api::resources::{Problem, Resource};
use tempfile::NamedTempFile;

use crate::exit::Failure;
use crate::output::one_line;

/// Lines of ours begin so; they are taken out again.
const OURS: &str = "#biplane: ";

/// The file. It goes when this is dropped, unless it was kept.
pub(super) struct EditFile {
    file: NamedTempFile,
    refused: bool,
}

/// The path of a file that stays.
pub(super) struct Kept(PathBuf);

impl EditFile {
    /// A file with a text, in a directory that the person has; made with rights for its owner only.
    pub(super) fn create(resource: &Resource, text: &str) -> Result<Self, Failure> {
        let file = tempfile::Builder::new()
            .prefix(&format!("biplane-{}-", resource.name.replace(['/', '.'], "-")))
            .suffix(".yaml")
            .tempfile()
            .map_err(|error| Failure::failed(format!("cannot make a temporary file: {error}")))?;
        let mut file = Self { file, refused: false };
        file.write(text)?;
        Ok(file)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What is in it, without what we put on top. Editors replace files, so it is opened anew.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let text = fs::read_to_string(self.path()).map_err(|error| self.fail("read", &error))?;
        Ok(text.split_inclusive('\n').filter(|line| !line.starts_with(OURS.trim_end())).collect())
    }

    /// Puts on top why the text was refused.
    pub(super) fn refuse(&mut self, text: &str, problem: &Problem) -> Result<(), Failure> {
        self.refused = true;
        self.write(&format!("{}{text}", remarks(problem)))
    }

    /// Whether a text was refused.
    pub(super) const fn was_refused(&self) -> bool {
        self.refused
    }

    /// Lets the file stay.
    pub(super) fn keep(&mut self) -> Kept {
        self.file.disable_cleanup(true);
        Kept(self.path().to_owned())
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.path())
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| self.fail("write", &error))
    }

    fn fail(&self, what: &str, error: &std::io::Error) -> Failure {
        Failure::failed(format!("cannot {what} {}: {error}", self.path().display()))
    }
}

impl Kept {
    /// The failure, with the place of what was typed.
    pub(super) fn mentioned_in(&self, failure: Failure) -> Failure {
        let message = format!("{}\nthe text is kept in {}", failure.message, self.0.display());
        Failure { message, ..failure }
    }
}

fn remarks(problem: &Problem) -> String {
    let mut remarks = format!("{OURS}This was refused, and nothing was changed:\n");
    let reports = problem.findings.iter().filter(|finding| finding.new).map(|finding| &finding.report);
    let mut told = 0;
    for report in reports {
        told += 1;
        remark(&mut remarks, &report.to_string(), report.hint.as_deref());
    }
    if told == 0 {
        remark(&mut remarks, &problem.message, problem.hint.as_deref());
    }
    let _ = writeln!(
        remarks,
        "{OURS}Line numbers count from the line below this one. Save it as it is to give up."
    );
    remarks
}

fn remark(remarks: &mut String, message: &str, hint: Option<&str>) {
    let _ = writeln!(remarks, "{OURS}  {}", one_line(message));
    if let Some(hint) = hint {
        let _ = writeln!(remarks, "{OURS}    hint: {}", one_line(hint));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use biplane_admin_api::ProblemKind;
    use biplane_core::key::Kind;

    use super::*;

    fn file(text: &str) -> EditFile {
        let resource = Resource {
            kind: Kind::Upstream,
            namespace: "default".into(),
            name: "a/b".into(),
            revision: 1,
            location: String::new(),
            labels: [].into(),
            text: String::new(),
            redacted: false,
            document: None,
        };
        EditFile::create(&resource, text).expect("a file")
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_goes_unless_it_is_kept() {
        let mut one = file("a: 1\n");
        let mode = fs::metadata(one.path()).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (other, path) = (file("b: 2\n"), one.keep().0);
        let gone = other.path().to_owned();
        drop((one, other));
        assert!(path.exists() && !gone.exists());
        fs::remove_file(path).expect("it is ours");
    }

    #[test]
    fn remarks_on_top_are_not_part_of_the_text() {
        let mut file = file("");
        let problem = Problem::new(ProblemKind::Invalid, "refused: bad\nport").hint("mend it");
        file.refuse("# mine\na: 1", &problem).expect("written");
        let whole = fs::read_to_string(file.path()).expect("text");
        assert!(whole.contains("#biplane:   refused: bad port\n#biplane:     hint: mend it\n"), "{whole}");
        assert_eq!(file.text(), Ok("# mine\na: 1".to_owned()));
    }
}
