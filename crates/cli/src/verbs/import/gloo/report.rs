//! What became of an import: of every object, and of everything that is left out.
//!
//! Invariant: it holds names, places and messages, and of texts only the difference that the editor tells, in
//! which nothing is secret.

use std::collections::{BTreeMap, BTreeSet};

use biplane_admin_api::resources::{Action, ApplyResult, Name, ValidationFinding};
use biplane_admin_api::status::{ObjectReport, Severity};
use biplane_core::key::ObjectKey;
use serde::Serialize;

use super::take::{LeftOut, Remark, Take, Taken};
use crate::findings::{count, lines};
use crate::output::table;

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Where the objects were read.
    source: String,
    /// Where they were to go; none where only a dry run was asked for.
    target: Option<String>,
    /// Whether nothing was written.
    dry_run: bool,
    /// The target's revision afterwards.
    revision: u64,
    /// How many objects and fields.
    summary: Summary,
    /// Every object that Gloo has and Biplane could have, sorted by kind, namespace and name.
    objects: Vec<Object>,
    /// What is left out, sorted by place, and then what validation says about the rest.
    findings: Vec<Remark>,
}

/// Numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    /// Objects that were not there before.
    created: usize,
    /// Objects that were there as they are in Gloo.
    unchanged: usize,
    /// Objects that said something else and were overwritten.
    overwritten: usize,
    /// Objects that say something else and were left alone.
    differing: usize,
    /// Objects that cannot be used.
    left_out: usize,
    /// Keys and documents that are no objects of Biplane's.
    documents_left_out: usize,
    /// Fields of objects that were taken.
    fields_left_out: usize,
    /// Objects that Gloo's status was taken out of.
    statuses_dropped: usize,
    /// Errors that validation finds in the configuration as it is taken over.
    errors: usize,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(flatten)]
    key: Name,
    result: Outcome,
    /// Where it was read; for one that is left out the findings say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// How many of its fields are left out.
    fields_left_out: usize,
    /// Where the target says something else: what would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Created,
    Unchanged,
    Overwritten,
    Differs,
    LeftOut,
}

impl Outcome {
    const fn of(action: Action, force: bool) -> Self {
        match action {
            Action::Created => Self::Created,
            Action::Changed if force => Self::Overwritten,
            Action::Changed => Self::Differs,
            // Nothing is deleted by an import.
            Action::Unchanged | Action::Deleted | Action::Pruned => Self::Unchanged,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Overwritten => "overwritten",
            Self::Differs => "differs",
            Self::LeftOut => "left out",
        }
    }
}

impl Report {
    /// The report of what was taken and what the target made of it.
    pub(super) fn new(
        source: &str,
        target: Option<&str>,
        take: Take,
        written: &ApplyResult,
        force: bool,
    ) -> Self {
        let mut findings = take.remarks;
        findings.extend(told(&written.findings, &take.objects, &findings));
        let objects = objects(&take.objects, written, &findings, force);
        let mut report = Self {
            source: source.to_owned(),
            target: target.map(str::to_owned),
            dry_run: written.dry_run,
            revision: written.revision,
            summary: Summary::default(),
            objects,
            findings,
        };
        report.summary = report.count(&take.objects);
        report
    }

    fn count(&self, taken: &[Taken]) -> Summary {
        let objects = |outcome| self.objects.iter().filter(|object| object.result == outcome).count();
        let left_out = |what: LeftOut| self.findings.iter().filter(|remark| remark.left_out == what).count();
        let is_error = |remark: &&Remark| {
            remark.left_out == LeftOut::Nothing && remark.report.severity == Severity::Error
        };
        Summary {
            created: objects(Outcome::Created),
            unchanged: objects(Outcome::Unchanged),
            overwritten: objects(Outcome::Overwritten),
            differing: objects(Outcome::Differs),
            left_out: objects(Outcome::LeftOut),
            documents_left_out: left_out(LeftOut::Document),
            fields_left_out: self.objects.iter().map(|object| object.fields_left_out).sum(),
            statuses_dropped: taken.iter().filter(|object| object.text.status_dropped).count(),
            errors: self.findings.iter().filter(is_error).count(),
        }
    }

    /// Whether everything that Gloo has is (or would be) in the target, and works.
    pub(super) fn is_whole(&self) -> bool {
        let Summary { differing, left_out, documents_left_out, fields_left_out, errors, .. } = &self.summary;
        differing + left_out + documents_left_out + fields_left_out + errors == 0 && !self.objects.is_empty()
    }

    /// A line a finding with its hint below it, then what differs, then a line an object.
    pub(super) fn text(&self) -> String {
        let findings = lines(self.findings.iter().map(|remark| &remark.report));
        let objects = if self.objects.is_empty() {
            String::new()
        } else {
            table(&["RESULT", "KIND", "NAMESPACE", "NAME", "FIELDS LEFT OUT"], self.rows())
        };
        let diffs = self.objects.iter().filter_map(|object| object.diff.clone());
        let parts = std::iter::once(findings).chain(diffs).chain([objects]);
        parts
            .filter(|part| !part.is_empty())
            .map(|part| part.trim_end().to_owned() + "\n")
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn rows(&self) -> impl Iterator<Item = Vec<String>> {
        self.objects.iter().map(|object| {
            let fields = object.fields_left_out;
            vec![
                object.result.as_str().to_owned(),
                object.key.kind.to_string(),
                object.key.namespace.clone(),
                object.key.name.clone(),
                if fields == 0 { String::new() } else { fields.to_string() },
            ]
        })
    }

    /// A few sentences for the person at the terminal.
    pub(super) fn summary(&self) -> String {
        let summary = &self.summary;
        let parts = [
            (summary.created, "created"),
            (summary.overwritten, "overwritten"),
            (summary.unchanged, "unchanged"),
            (summary.differing, "differing in the target"),
            (summary.left_out, "left out"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        let mut lines = vec![match (self.objects.len(), self.dry_run) {
            (0, _) => format!("no objects at {}", self.source),
            (objects, false) => format!("{}: {}", count(objects, "object"), parts.join(", ")),
            (objects, true) => format!("{}, nothing written: {}", count(objects, "object"), parts.join(", ")),
        }];
        let also = [
            (summary.fields_left_out, "field", "left out of objects that were taken"),
            (summary.documents_left_out, "document", "left out: no object that Biplane has, or given twice"),
            (summary.errors, "error", "in the configuration as it is taken over"),
            (
                summary.statuses_dropped,
                "object",
                "without the status that Gloo wrote: `biplane status` tells it",
            ),
        ];
        lines.extend(
            also.iter()
                .filter(|(number, ..)| *number > 0)
                .map(|(number, what, where_to)| format!("{} {where_to}", count(*number, what))),
        );
        if summary.differing > 0 {
            let differing = count(summary.differing, "object");
            lines.push(format!("nothing was written: {differing} would be overwritten; do so with --force"));
        }
        lines.join("\n")
    }
}

/// Every object that was read: those that were taken, and those of which only findings tell.
fn objects(taken: &[Taken], written: &ApplyResult, findings: &[Remark], force: bool) -> Vec<Object> {
    let fields = fields_left_out(findings);
    let changes: BTreeMap<_, _> = written.changes.iter().map(|change| (&change.key, change)).collect();
    let of_taken = |object: &Taken| {
        let key = Name::from(&object.key);
        let change = changes.get(&key);
        let result = Outcome::of(change.map_or(Action::Unchanged, |change| change.action), force);
        Object {
            result,
            diff: change.filter(|_| result == Outcome::Differs).map(|change| change.diff.clone()),
            location: Some(object.location.to_string()),
            fields_left_out: fields.get(&object.key.to_string()).copied().unwrap_or(0),
            key,
        }
    };
    let known: BTreeSet<_> = taken.iter().map(|object| object.key.to_string()).collect();
    let left_out: BTreeSet<_> = findings
        .iter()
        .filter(|remark| remark.left_out == LeftOut::Object)
        .filter_map(|remark| remark.report.object.as_deref())
        .filter(|object| !known.contains(*object))
        .filter_map(key_of)
        .collect();
    let of_left_out = |key: ObjectKey| Object {
        key: Name::from(&key),
        result: Outcome::LeftOut,
        location: None,
        fields_left_out: 0,
        diff: None,
    };
    let mut objects: Vec<_> =
        taken.iter().map(of_taken).chain(left_out.into_iter().map(of_left_out)).collect();
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    objects
}

fn fields_left_out(findings: &[Remark]) -> BTreeMap<String, usize> {
    let fields = findings.iter().filter(|remark| remark.left_out == LeftOut::Field);
    fields.filter_map(|remark| remark.report.object.clone()).fold(BTreeMap::new(), |mut fields, object| {
        *fields.entry(object).or_default() += 1;
        fields
    })
}

/// From `VirtualService default/petstore`.
fn key_of(object: &str) -> Option<ObjectKey> {
    let (kind, name) = object.split_once(' ')?;
    let (namespace, name) = name.split_once('/')?;
    Some(ObjectKey::new(kind.parse().ok()?, namespace, name))
}

/// What validation says about the objects that were taken, or about others because of them, at the places where
/// they were read. What decoding has said already is not said again.
fn told(findings: &[ValidationFinding], taken: &[Taken], known: &[Remark]) -> Vec<Remark> {
    let taken: BTreeMap<_, _> = taken.iter().map(|object| (object.key.to_string(), object)).collect();
    let of_taken = |report: &ObjectReport| report.object.as_ref().and_then(|object| taken.get(object));
    let is_known = |report: &ObjectReport| {
        known.iter().map(|remark| &remark.report).any(|known| {
            (&known.object, &known.path) == (&report.object, &report.path)
                && known.message.starts_with(&report.message)
        })
    };
    let concerns = findings.iter().filter(|finding| finding.new || of_taken(&finding.report).is_some());
    let mut told: Vec<_> = concerns
        .filter(|finding| !is_known(&finding.report))
        .map(|finding| {
            let report = finding.report.clone();
            let location = of_taken(&report).map(|object| place(&report, object));
            let location = location.or_else(|| report.location.clone());
            Remark { left_out: LeftOut::Nothing, report: ObjectReport { location, ..report } }
        })
        .collect();
    told.sort_by(|a, b| (&a.report.location, &a.report.path).cmp(&(&b.report.location, &b.report.path)));
    told
}

/// Where in the source a finding about the written text is.
fn place(report: &ObjectReport, object: &Taken) -> String {
    let line = report.location.as_deref().and_then(|place| place.strip_prefix(&object.origin()));
    let line = line.and_then(|rest| rest.strip_prefix(':')).and_then(|line| line.parse().ok());
    object.place(line.unwrap_or(1)).to_string()
}
