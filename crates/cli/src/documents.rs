//! What `-f` names: documents in files, below directories, or on stdin, each with the place that a finding
//! about it points at.
//!
//! Files and directories are read by the file store, so that `apply -f DIR` takes the same documents as
//! `serve --store DIR` would, Gloo's folders included. Anything in them that cannot be read or told apart
//! is an error: half of what was meant is never sent.

use std::io::Read;
use std::path::{Path, PathBuf};

use biplane_admin_api::resources::{Change, Expect, Name, Operation};
use biplane_core::document::{IdentifyHint, identify, split};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::{Fault, Listing, Store, StoredObject};
use clap::Args;

use crate::backends;
use crate::exit::{Code, Failure};
use crate::findings;

/// What a person calls stdin.
const STDIN: &str = "-";

/// More than this on stdin is no configuration: the API takes 32 MiB in a request.
const LARGEST: u64 = 32 * 1024 * 1024;

/// The flag `-f`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Files {
    /// A file, a directory with everything below it (.yaml, .yml, .json), or `-` for stdin; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    pub(crate) files: Vec<PathBuf>,
}

/// One document.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its text.
    pub(crate) text: String,
    /// The file, as the user would open it.
    pub(crate) origin: String,
    /// The line on which it begins.
    pub(crate) line: u32,
    /// Which object it is, where the place says so too.
    key: Option<ObjectKey>,
}

/// Where, and nothing that may be secret.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({}:{})", self.origin, self.line)
    }
}

impl Document {
    /// The change that makes the object what the document says.
    pub(crate) fn put(self) -> Change {
        let key = self.key.as_ref().map(Name::from);
        let operation = Operation::Put { text: self.text, origin: self.origin, line: self.line, key };
        Change { operation, expect: Expect::Anything }
    }

    /// Which object it is.
    pub(crate) fn key(&self) -> Result<ObjectKey, Failure> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        identify(&self.text, &IdentifyHint::default()).map_err(|error| {
            let line = self.line + error.line.saturating_sub(1);
            let message = format!("{}:{line}: {}", self.origin, error.message);
            Failure { hint: error.hint, ..Failure::new(Code::Findings, message) }
        })
    }
}

impl Files {
    /// Reads all of it; nothing at all is an error, since it is never what was meant.
    pub(crate) async fn read(&self) -> Result<Vec<Document>, Failure> {
        let mut documents = Vec::new();
        for path in &self.files {
            let found = read(path).await?;
            if found.is_empty() {
                return Err(
                    Failure::usage(findings::nothing(path)).hint("name another file or directory with -f")
                );
            }
            documents.extend(found);
        }
        Ok(documents)
    }
}

async fn read(path: &Path) -> Result<Vec<Document>, Failure> {
    if path == Path::new(STDIN) {
        return Ok(whole("stdin", &text_of("stdin", std::io::stdin().lock())?));
    }
    // A pipe that a shell has made (`-f <(...)`) is no file that a store could follow.
    let is_stream = path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    if is_stream {
        let shown = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|error| unreadable(&shown, &error))?;
        return Ok(whole(&shown, &text_of(&shown, file)?));
    }
    let listing = backends::open_files(path)?.list().await.map_err(|error| {
        let failure = Failure::usage(error.to_string());
        Failure { hint: error.hint().map(str::to_owned), ..failure }
    })?;
    of_listing(path, listing)
}

fn text_of(shown: &str, from: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    from.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| unreadable(shown, &error))?;
    if text.len() as u64 > LARGEST {
        return Err(Failure::usage(format!("{shown} has more than {} MiB", LARGEST / 1024 / 1024)));
    }
    Ok(text)
}

fn unreadable(shown: &str, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {shown}: {error}"))
}

/// The documents of one text.
fn whole(origin: &str, text: &str) -> Vec<Document> {
    let document = |slice: biplane_core::document::DocumentSlice| Document {
        text: text[slice.range].to_owned(),
        origin: origin.to_owned(),
        line: slice.first_line,
        key: None,
    };
    split(text).into_iter().map(document).collect()
}

fn of_listing(root: &Path, listing: Listing) -> Result<Vec<Document>, Failure> {
    if !listing.faults.is_empty() {
        return Err(faulty(root, &listing.faults));
    }
    let mut documents: Vec<_> =
        listing.items.into_iter().map(|object| of_object(root, object)).collect::<Result<_, _>>()?;
    documents.sort_by(|a, b| (&a.origin, a.line).cmp(&(&b.origin, b.line)));
    Ok(documents)
}

fn of_object(root: &Path, object: StoredObject) -> Result<Document, Failure> {
    let (origin, line) = match findings::below(root, object.location.clone()) {
        Location::File { path, line } => (path.to_string(), line),
        key @ Location::Key { .. } => (key.to_string(), 1),
    };
    let text = String::from_utf8(object.value.to_vec())
        .map_err(|_| Failure::usage(format!("{origin}:{line}: the document is not UTF-8 text")))?;
    Ok(Document { text, origin, line, key: Some(object.key) })
}

fn faulty(root: &Path, faults: &[Fault]) -> Failure {
    let shown =
        |fault: &Fault| Fault { location: findings::below(root, fault.location.clone()), ..fault.clone() };
    let lines: Vec<_> = faults.iter().map(|fault| shown(fault).to_string()).collect();
    Failure::new(Code::Findings, lines.join("\n")).hint("nothing was sent; correct this first")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_one_text_know_their_lines_and_do_not_show_what_they_hold() {
        let documents = whole("stdin", "a: canary\n---\n# nothing\n---\nb: 2\n");
        let places: Vec<_> = documents.iter().map(|document| format!("{document:?}")).collect();
        assert_eq!(places, ["Document(stdin:1)", "Document(stdin:5)"]);
    }

    #[test]
    fn a_document_that_names_no_object_is_refused_with_its_line() {
        let document = whole("stdin", "\nkind: Ingress\nmetadata: {name: a}\n").pop().expect("one");
        let failure = document.key().expect_err("no kind of ours");
        assert!(failure.message.starts_with("stdin:2: "), "{failure}");
    }
}
