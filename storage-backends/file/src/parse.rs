//! A file's bytes to documents: split, limited, identified. Nothing is decoded here.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use biplane_core::document::{IdentifyHint, identify, split};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::{Fault, FaultKind};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::names;
use crate::options::Limits;

/// One identified document of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Which object.
    pub(crate) key: ObjectKey,
    /// The document's text.
    pub(crate) value: Bytes,
    /// The line of the file on which it starts.
    pub(crate) line: u32,
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The identified documents, in order.
    pub(crate) documents: Vec<Document>,
    /// What could not be identified, and why.
    pub(crate) faults: Vec<Fault>,
    /// The hashes of the documents behind the faults: the same ones again hide nothing new.
    pub(crate) unidentified: BTreeSet<u64>,
}

/// Reads the file's text. `shown` is the path that people know it by.
pub(crate) fn parse(path: &Path, shown: &Arc<str>, content: &[u8], limits: &Limits) -> Parsed {
    let mut parsed = Parsed::default();
    if content.is_empty() {
        parsed.refuse(content, empty(shown));
        return parsed;
    }
    match str::from_utf8(content) {
        Ok(text) => parsed.read(text, path, shown, limits),
        Err(error) => parsed.refuse(content, not_text(shown, content, error.valid_up_to())),
    }
    parsed
}

impl Parsed {
    fn read(&mut self, text: &str, path: &Path, shown: &Arc<str>, limits: &Limits) {
        let slices = split(text);
        let hint = names::hint(path, slices.len());
        let is_output = names::is_gloos_output(path);
        for slice in slices {
            let document = &text[slice.range];
            match document_of(document, shown, slice.first_line, &hint, limits) {
                Ok(document) => self.documents.push(document),
                // Nobody has written it, and only Gloo reads it.
                Err(_) if is_output && !says_its_kind(document) => {}
                Err(fault) => self.refuse(document.as_bytes(), *fault),
            }
        }
    }

    fn refuse(&mut self, bytes: &[u8], fault: Fault) {
        self.faults.push(fault);
        self.unidentified.insert(xxh3_64(bytes));
    }
}

/// Whether a document has a kind of its own, right or wrong.
fn says_its_kind(text: &str) -> bool {
    text.lines().any(|line| line.trim_start_matches(['{', '"', ' ']).starts_with("kind"))
}

fn document_of(
    text: &str,
    shown: &Arc<str>,
    line: u32,
    hint: &IdentifyHint,
    limits: &Limits,
) -> Result<Document, Box<Fault>> {
    if text.len() > limits.object_bytes {
        return Err(too_large(shown, line, text.len(), limits.object_bytes).into());
    }
    match identify(text, hint) {
        // The bytes are copied: a slice would keep the whole file's buffer for as long as one object lives.
        Ok(key) => Ok(Document { key, value: Bytes::copy_from_slice(text.as_bytes()), line }),
        Err(error) => {
            let place = Location::file(shown.clone(), line + error.line.saturating_sub(1));
            Err(Fault { hint: error.hint, ..Fault::new(FaultKind::Unidentified, place, error.message) }
                .into())
        }
    }
}

fn too_large(shown: &Arc<str>, line: u32, size: usize, limit: usize) -> Fault {
    let message = format!("the document has {size} bytes, more than the limit of {limit}");
    Fault::new(FaultKind::TooLarge, Location::file(shown.clone(), line), message)
        .hint("split it: route tables can delegate to others")
}

fn empty(shown: &Arc<str>) -> Fault {
    Fault::new(FaultKind::Unreadable, Location::file(shown.clone(), 1), "the file is empty")
        .hint("if its objects are to go, remove the file")
}

fn not_text(shown: &Arc<str>, content: &[u8], at: usize) -> Fault {
    let line = content[..at].split(|byte| *byte == b'\n').count();
    let line = u32::try_from(line).unwrap_or(u32::MAX);
    Fault::new(FaultKind::Unreadable, Location::file(shown.clone(), line), "the file is not UTF-8 text")
        .hint("save it as UTF-8")
}
