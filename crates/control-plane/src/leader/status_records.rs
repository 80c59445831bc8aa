//! What there is to say about each object, as records: only for objects that there is something to say
//! about.

use std::collections::BTreeMap;

use biplane_admin_api::status::{ObjectReport, ObjectState, Severity, StatusRecord, StatusSummary};
use biplane_core::key::ObjectKey;
use biplane_core::scalars::Timestamp;
use biplane_store::layout;
use biplane_store::records::STATUS;

use crate::shared::SharedEngine;

/// Where the summary lies.
pub(crate) const SUMMARY: &str = "status/_summary";

/// The most findings of one record: nobody reads more at once, and stores bound what a value may hold.
const MOST: usize = 50;

/// All records that there should be, by path, without who writes them and when.
pub(super) fn wanted(engine: &SharedEngine, source: &str) -> BTreeMap<String, StatusRecord> {
    let (findings, held) = {
        let engine = engine.lock();
        (engine.findings(), held(&engine))
    };
    let mut reports: BTreeMap<ObjectKey, Vec<ObjectReport>> = BTreeMap::new();
    for report in findings.located() {
        let Some(key) = report.object.clone() else { continue };
        reports.entry(key).or_default().push(ObjectReport::from(&report));
    }
    for (key, why) in &held {
        reports.entry(key.clone()).or_default().insert(0, held_report(key, why, source));
    }
    let engine = engine.lock();
    let record = |(key, mut reports): (ObjectKey, Vec<ObjectReport>)| {
        reports.truncate(MOST);
        let state = if held.contains_key(&key) { ObjectState::Held } else { state(&reports) };
        let revision = engine.ingest().latest(&key).map(|object| object.revision.0);
        let record = StatusRecord { state, revision, reports, ..StatusRecord::default() };
        (format!("{STATUS}/{}", layout::format_key(&key)), record)
    };
    reports.into_iter().map(record).collect()
}

/// The summary, without who writes it and when.
pub(super) fn summary(engine: &SharedEngine) -> StatusSummary {
    let engine = engine.lock();
    let count = engine.count_reports();
    let objects = engine.graph().counts().into_iter();
    StatusSummary {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: engine.revision().0,
        errors: count.errors as u64,
        warnings: count.warnings as u64,
        held: engine.guard().held().len() as u64,
        objects: objects.map(|(kind, count)| (kind.to_string(), count as u64)).collect(),
        ..StatusSummary::default()
    }
}

/// What makes it worth a write: not the time, and not the revision, which our own writes move.
pub(super) fn essence_of(summary: StatusSummary) -> StatusSummary {
    StatusSummary { at: Timestamp::default(), revision: 0, ..summary }
}

fn held(engine: &crate::engine::Engine) -> BTreeMap<ObjectKey, String> {
    let guard = engine.guard();
    let why = guard.suspicion().map(|suspicion| suspicion.reason.to_string()).unwrap_or_default();
    guard.held().keys().map(|key| (key.clone(), why.clone())).collect()
}

fn held_report(key: &ObjectKey, why: &str, source: &str) -> ObjectReport {
    ObjectReport {
        object: Some(key.to_string()),
        severity: Severity::Warning,
        message: format!("it stays in use as it was, because the store looks wrong: {why}"),
        hint: Some(format!("if it was meant: biplane source accept {source}")),
        ..ObjectReport::default()
    }
}

fn state(reports: &[ObjectReport]) -> ObjectState {
    match reports.iter().map(|report| report.severity).max() {
        Some(Severity::Error) => ObjectState::Rejected,
        Some(Severity::Warning) => ObjectState::Warning,
        None => ObjectState::Accepted,
    }
}
