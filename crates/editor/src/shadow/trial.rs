//! One trial: planned edits in, findings out, and everything as it was before.

use std::collections::{BTreeSet, HashSet};

use biplane_admin_api::resources::ValidationFinding;
use biplane_control_plane::graph::Edit;
use biplane_control_plane::ingest::{examine, locate};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_core::report::Report;
use biplane_core::resources::Object;
use biplane_store::StoredObject;

use super::Shadow;
use crate::plan::Planned;

/// A planned object as decoding sees it.
struct Examined<'a> {
    planned: &'a Planned,
    /// What is wrong with the version that is stored.
    before: Vec<Report>,
    /// What is wrong with the version that is to be stored.
    after: Vec<Report>,
    /// That version, if it is good.
    object: Option<Object>,
}

impl Shadow {
    /// See [`Shadows::judge`](super::Shadows::judge).
    pub(super) fn judge(&mut self, planned: &[Planned]) -> Vec<ValidationFinding> {
        let examined: Vec<_> = planned.iter().map(Examined::of).collect();
        let stored = examined.iter().flat_map(|examined| &examined.before).cloned();
        let known: BTreeSet<_> = self.graph.reports().into_iter().chain(stored).map(without_place).collect();
        let (edits, inverse) = self.edits(&examined);
        self.change(&edits);
        let translated = self.graph.reports();
        self.change(&inverse);
        let written = examined.iter().flat_map(|examined| &examined.after).cloned();
        let judge = |report: Report| (!known.contains(&without_place(report.clone())), report);
        let others = self.others(&examined).into_iter().map(|report| (false, report));
        let findings = others.chain(written.chain(translated).map(judge)).collect();
        self.placed(findings, planned)
    }

    /// The edits of the graph, and what takes them back.
    fn edits(&self, examined: &[Examined<'_>]) -> (Vec<Edit>, Vec<Edit>) {
        let edits: Vec<_> = examined.iter().filter_map(|examined| self.edit(examined)).collect();
        let inverse = edits.iter().map(|edit| self.as_it_is(edit.key())).collect();
        (edits, inverse)
    }

    /// A version that does not decode changes nothing but its own findings: the last good one stays in use.
    fn edit(&self, examined: &Examined<'_>) -> Option<Edit> {
        let Planned { key, after, .. } = examined.planned;
        match after {
            None => self.ingest.good().contains_key(key).then(|| Edit::Delete(key.clone())),
            Some(after) => Some(Edit::Put(Box::new(examined.object.clone()?), after.created)),
        }
    }

    fn as_it_is(&self, key: &ObjectKey) -> Edit {
        let good = self.ingest.good().get(key);
        let object = good.and_then(|good| Some((examine(good).object?, good.created)));
        object.map_or_else(
            || Edit::Delete(key.clone()),
            |(object, created)| Edit::Put(Box::new(object), created),
        )
    }

    /// What is wrong with the text of objects that the request does not name.
    fn others(&self, examined: &[Examined<'_>]) -> Vec<Report> {
        let named: HashSet<_> = examined.iter().map(|examined| &examined.planned.key).collect();
        let other = |report: &Report| report.object.as_ref().is_none_or(|key| !named.contains(key));
        self.ingest.reports().into_iter().filter(other).collect()
    }

    /// The findings at their places, those of the request's objects where the caller has them from.
    fn placed(&self, findings: Vec<(bool, Report)>, planned: &[Planned]) -> Vec<ValidationFinding> {
        let mut objects = self.ingest.good().clone();
        for planned in planned {
            match &planned.after {
                Some(after) => objects.insert(planned.key.clone(), after.clone()),
                None => objects.remove(&planned.key),
            };
        }
        let (new, mut reports): (Vec<_>, Vec<_>) = findings.into_iter().unzip();
        locate(&mut reports, &objects);
        let mut findings: Vec<_> = new.into_iter().zip(reports).collect();
        findings.sort_by(|a, b| (!a.0, &a.1).cmp(&(!b.0, &b.1)));
        findings.dedup();
        let finding = |(new, report): (bool, Report)| ValidationFinding { new, report: (&report).into() };
        findings.into_iter().map(finding).collect()
    }
}

impl<'a> Examined<'a> {
    fn of(planned: &'a Planned) -> Self {
        let before = planned.before.as_ref().map(|before| examine(&in_a_file(before)).reports);
        let after = planned.after.as_ref().map(examine);
        let (object, after) =
            after.map_or_else(Default::default, |decoded| (decoded.object, decoded.reports));
        Self { planned, before: before.unwrap_or_default(), after, object }
    }
}

/// The object as if it were read from a file. Findings about the value of a key say its line in their words,
/// so that the same mistake on another line would look new.
fn in_a_file(object: &StoredObject) -> StoredObject {
    StoredObject { location: Location::file("", 1), ..object.clone() }
}

fn without_place(report: Report) -> Report {
    Report { location: None, ..report }
}
