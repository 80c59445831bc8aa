//! What Gloo keeps, as objects of Biplane's, and a word about everything that is not among them.
//!
//! Pure but for looking at the source's URL. An object that decodes is taken, even if some of its fields have
//! no effect; one that does not is left out, so that nothing is written that Biplane would not use.

use std::path::PathBuf;

use biplane_admin_api::status::ObjectReport;
use biplane_core::decode::decode;
use biplane_core::document::{IdentifyError, IdentifyHint, identify};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_core::path::FieldPath;
use biplane_core::report::{Report, Severity};
use biplane_store::{Fault, FaultKind, Listing, StoredObject};
use serde::Serialize;

use super::text::{self, Text};
use crate::exit::Failure;
use crate::findings::below;

/// Where Gloo's objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The URL of the store, which says that the layout is Gloo's.
    pub(super) url: String,
    /// The directory, as the user wrote it.
    root: Option<PathBuf>,
}

/// What was taken and what was not.
pub(super) struct Take {
    /// What is to be written, sorted by key.
    pub(super) objects: Vec<Taken>,
    /// What is not, and why, sorted by place.
    pub(super) remarks: Vec<Remark>,
}

/// One object that is taken. It may hold secrets, so it has no `Debug`.
pub(super) struct Taken {
    /// Which.
    pub(super) key: ObjectKey,
    /// Its text.
    pub(super) text: Text,
    /// Where its first line was read.
    pub(super) location: Location,
}

/// A word about something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum LeftOut {
    /// A field has no effect; the object is taken.
    Field,
    /// The object is not taken.
    Object,
    /// The key or the document is no object that Biplane has.
    Document,
    /// Nothing is left out; something is odd.
    Nothing,
}

/// What is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remark {
    /// What.
    pub(super) left_out: LeftOut,
    /// Where and why, and what to try.
    #[serde(flatten)]
    pub(super) report: ObjectReport,
}

impl Source {
    /// The source that `--from` names.
    pub(super) fn of(from: &str) -> Result<Self, Failure> {
        let scheme = from.split_once("://").map(|(scheme, _)| scheme);
        let is_consul = scheme.is_some_and(|scheme| scheme.starts_with("consul"));
        if from.is_empty() || !(is_consul || matches!(scheme, None | Some("file"))) {
            let failure = Failure::usage(format!("Gloo keeps nothing at {from:?}"));
            return Err(failure.hint("name consul://HOST:PORT/ROOT or a directory"));
        }
        let root = from.strip_prefix("file://").or((!is_consul).then_some(from));
        let root = root.map(|path| PathBuf::from(path.split_once('?').map_or(path, |(path, _)| path)));
        let url = if scheme.is_some() { with_parameter(from, "layout", "gloo") } else { from.to_owned() };
        Ok(Self { url, root })
    }

    /// A place that can be opened from where the user is.
    fn shown(&self, location: &Location) -> Location {
        match &self.root {
            Some(root) => below(root, location.clone()),
            None => location.clone(),
        }
    }
}

/// The URL with a parameter, unless it has it.
pub(super) fn with_parameter(url: &str, name: &str, value: &str) -> String {
    match url.split_once('?') {
        None => format!("{url}?{name}={value}"),
        Some((_, query)) if query.split('&').any(|pair| pair.split('=').next() == Some(name)) => {
            url.to_owned()
        }
        Some((_, "")) => format!("{url}{name}={value}"),
        Some(_) => format!("{url}&{name}={value}"),
    }
}

/// Takes what can be taken.
pub(super) fn take(listing: &Listing, source: &Source) -> Take {
    let mut remarks: Vec<_> = listing.faults.iter().map(|fault| of_fault(fault, source)).collect();
    let one = |object| object_of(object, source, &mut remarks);
    let objects: Vec<_> = listing.items.iter().filter_map(one).collect();
    remarks.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
    Take { objects, remarks }
}

/// Sorts by place, and the lines of a file by number.
fn place_of(remark: &Remark) -> (&str, u32, &str) {
    let place = remark.report.location.as_deref().unwrap_or_default();
    let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
    (file, line.parse().unwrap_or(0), &remark.report.path)
}

fn object_of(object: &StoredObject, source: &Source, remarks: &mut Vec<Remark>) -> Option<Taken> {
    let location = source.shown(&object.location);
    let mut refuse = |report: Report| {
        remarks.push(Remark { left_out: LeftOut::Object, report: (&report.at(location.clone())).into() });
    };
    let Ok(text) = str::from_utf8(&object.value) else {
        refuse(Report::error(&object.key, FieldPath::root(), "the value is not UTF-8 text"));
        return None;
    };
    if let Some(report) = another(text, &object.key) {
        refuse(report);
        return None;
    }
    let decoded = decode(text, &object.key, &location);
    remarks.extend(decoded.reports.iter().map(of_report));
    decoded.object?;
    Some(Taken { key: object.key.clone(), text: text::own(text, object.key.kind), location })
}

/// The report of an object that says that it is another. Gloo goes by what an object says, wherever it lies.
fn another(text: &str, key: &ObjectKey) -> Option<Report> {
    let hint = IdentifyHint {
        kind: Some(key.kind),
        namespace: Some(key.namespace.clone()),
        name: Some(key.name.clone()),
    };
    // What cannot be identified does not decode either, which says more.
    let found = identify(text, &hint).ok().filter(|found| found != key)?;
    let message = format!("by its place it is {key}, but it says that it is {found}");
    let report = Report::error(key, FieldPath::root(), message);
    Some(report.hint("Gloo goes by what it says: move it, or correct its metadata"))
}

/// What decoding says: an error costs the object, and a warning a field of it.
fn of_report(report: &Report) -> Remark {
    let left_out = match report.severity {
        Severity::Error => LeftOut::Object,
        // So begin all warnings about fields that Gloo has and Biplane has not, and no others.
        Severity::Warning if report.message.starts_with("Gloo's field") => LeftOut::Field,
        Severity::Warning => LeftOut::Nothing,
    };
    Remark { left_out, report: report.into() }
}

/// What the store says about a key or a document that is no object.
fn of_fault(fault: &Fault, source: &Source) -> Remark {
    let (message, hint) = words(fault);
    // Of an object that is given twice the other document is taken.
    let is_object = fault.key.is_some() && fault.kind != FaultKind::Duplicate;
    let left_out = if is_object { LeftOut::Object } else { LeftOut::Document };
    let report = ObjectReport {
        object: fault.key.as_ref().map(ToString::to_string),
        severity: if fault.kind == FaultKind::Unfinished { Severity::Warning } else { Severity::Error }
            .into(),
        path: String::new(),
        location: Some(source.shown(&fault.location).to_string()),
        message,
        hint,
    };
    Remark { left_out, report }
}

/// What is wrong and what to try. Core knows Gloo's kinds, and what to do instead of each; the store's own advice
/// about a key is to do what is being done.
fn words(fault: &Fault) -> (String, Option<String>) {
    let known = (fault.message.clone(), fault.hint.clone());
    if fault.kind != FaultKind::Unidentified {
        return known;
    }
    let of_kind = |kind| identify(&format!("kind: {kind}"), &IdentifyHint::default()).err();
    let of_gloo = |error: &IdentifyError| error.message.starts_with("Gloo's kind");
    match gloo_kind(&fault.location).and_then(of_kind).filter(of_gloo) {
        Some(error) => (error.message, error.hint),
        None if matches!(fault.location, Location::File { .. }) => known,
        None => {
            let hint = "it stays where it is; an object has a key of its own with its kind in it";
            (known.0, Some(hint.to_owned()))
        }
    }
}

/// The folders of Gloo's file layout for kinds that Biplane has not.
const FOLDERS: [(&str, &str); 5] = [
    ("httpgateways", "MatchableHttpGateway"),
    ("tcpgateways", "MatchableTcpGateway"),
    ("authconfigs", "AuthConfig"),
    ("ratelimitconfigs", "RateLimitConfig"),
    ("artifacts", "Artifact"),
];

/// The kind that the place of an object tells: `.../<Kind>/<namespace>/<name>`.
fn gloo_kind(location: &Location) -> Option<&str> {
    let path = match location {
        Location::File { path, .. } => path,
        Location::Key { key, .. } => key,
    };
    let folder = path.rsplit('/').nth(2)?;
    let kind = FOLDERS.iter().find(|(known, _)| *known == folder).map(|(_, kind)| *kind);
    kind.or_else(|| matches!(location, Location::Key { .. }).then_some(folder))
}

impl Taken {
    /// What findings call its text, before the number of a line.
    pub(super) fn origin(&self) -> String {
        match &self.location {
            Location::File { path, .. } => path.to_string(),
            Location::Key { .. } => self.location.to_string(),
        }
    }

    /// Where a line of its text, as it is to be written, was read.
    pub(super) fn place(&self, line: u32) -> Location {
        self.location.offset(self.text.original_line(line).saturating_sub(1))
    }
}

#[cfg(test)]
mod tests;
