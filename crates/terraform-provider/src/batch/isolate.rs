//! One request for many changes, and each change's own outcome: what is wrong with one is not the others' fault.

use std::collections::BTreeMap;

use biplane_admin_api::key::ObjectKey;
use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Change, Name, Operation, Resources, ValidationFinding,
};
use biplane_admin_api::status::Severity;
use biplane_admin_api::{Problem, ProblemKind};

use super::{Done, Outcome};

/// Carries changes out together, on top of `below` if this is a dry run. Those that make the request fail are taken out
/// and told why, and the rest is tried again; where nobody can be blamed, each is tried alone.
pub(super) async fn isolate(
    resources: &dyn Resources,
    request: &ApplyRequest,
    below: &[Change],
    changes: &[(ObjectKey, Change)],
) -> Vec<Outcome> {
    let mut trial = Trial { resources, request, below: below.to_vec(), changes, outcomes: BTreeMap::new() };
    let open = trial.once_each();
    trial.together(open).await;
    let mut outcomes = trial.outcomes;
    (0..changes.len()).map(|index| outcomes.remove(&index).expect("each got one")).collect()
}

struct Trial<'a> {
    resources: &'a dyn Resources,
    request: &'a ApplyRequest,
    below: Vec<Change>,
    changes: &'a [(ObjectKey, Change)],
    outcomes: BTreeMap<usize, Outcome>,
}

impl Trial<'_> {
    /// Refuses what is there a second time: two resources of one configuration that are the same object.
    fn once_each(&mut self) -> Vec<usize> {
        let mut seen = BTreeMap::new();
        let mut open = Vec::new();
        for (index, (key, _)) in self.changes.iter().enumerate() {
            if seen.insert(key, index).is_none() {
                open.push(index);
                continue;
            }
            let problem = Problem::new(ProblemKind::BadRequest, format!("two resources are {key}"));
            self.outcomes.insert(index, Err(problem.hint("take one of them out of the configuration")));
        }
        open
    }

    async fn together(&mut self, mut open: Vec<usize>) {
        while !open.is_empty() {
            let problem = match self.apply(&open).await {
                Ok(result) => return self.works(&open, &result),
                Err(problem) => problem,
            };
            if !is_about_changes(problem.kind) {
                return self.fails(&open, &problem);
            }
            let guilty: Vec<_> =
                open.iter().copied().filter(|index| self.is_guilty(*index, &problem)).collect();
            if guilty.is_empty() {
                return self.nobody_to_blame(&open, &problem).await;
            }
            for index in &guilty {
                self.outcomes.insert(*index, self.own(*index, &problem));
            }
            open.retain(|index| !guilty.contains(index));
        }
    }

    /// A fault that names none of them: of what lies below, or of all of them together.
    async fn nobody_to_blame(&mut self, open: &[usize], problem: &Problem) {
        if open.len() == 1 && self.below.is_empty() {
            return self.fails(open, problem);
        }
        self.below.clear();
        for index in open {
            match self.apply(&[*index]).await {
                Ok(result) => self.works(&[*index], &result),
                Err(problem) => {
                    let outcome = self.own(*index, &problem);
                    self.outcomes.insert(*index, outcome);
                }
            }
        }
    }

    async fn apply(&self, open: &[usize]) -> Result<ApplyResult, Problem> {
        let own = open.iter().map(|index| self.changes[*index].1.clone());
        let changes = self.below.iter().cloned().chain(own).collect();
        self.resources.apply(&ApplyRequest { changes, ..self.request.clone() }).await
    }

    fn works(&mut self, open: &[usize], result: &ApplyResult) {
        for index in open {
            let key = &self.changes[*index].0;
            let name = Name::from(key);
            let change = result.changes.iter().find(|change| change.key == name);
            // What was there already stays at the revision that it had.
            let before =
                change.filter(|change| change.action == Action::Unchanged).and_then(|change| change.before);
            let findings = of(key, &result.findings);
            self.outcomes.insert(*index, Ok(Done { revision: before.unwrap_or(result.revision), findings }));
        }
    }

    fn fails(&mut self, open: &[usize], problem: &Problem) {
        self.outcomes.extend(open.iter().map(|index| (*index, Err(problem.clone()))));
    }

    fn is_guilty(&self, index: usize, problem: &Problem) -> bool {
        let key = &self.changes[index].0;
        problem.object.as_ref() == Some(&Name::from(key)) || !errors(key, &problem.findings).is_empty()
    }

    /// What one of them is told: what is about it, and that it is done if what should go has gone.
    fn own(&self, index: usize, problem: &Problem) -> Outcome {
        let (key, change) = &self.changes[index];
        let gone =
            matches!(problem.kind, ProblemKind::NotFound | ProblemKind::Conflict) && problem.found.is_none();
        if gone && matches!(change.operation, Operation::Delete { .. }) {
            return Ok(Done::default());
        }
        let errors = errors(key, &problem.findings);
        let findings = if errors.is_empty() { problem.findings.clone() } else { errors };
        Err(Problem { findings, ..problem.clone() })
    }
}

/// Whether a problem may be the fault of single changes.
const fn is_about_changes(kind: ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::BadRequest
            | ProblemKind::NotFound
            | ProblemKind::Conflict
            | ProblemKind::Invalid
            | ProblemKind::TooLarge
    )
}

/// What validation says that is new about an object.
fn of(key: &ObjectKey, findings: &[ValidationFinding]) -> Vec<ValidationFinding> {
    let name = key.to_string();
    let own = |finding: &&ValidationFinding| finding.new && finding.report.object.as_deref() == Some(&name);
    findings.iter().filter(own).cloned().collect()
}

fn errors(key: &ObjectKey, findings: &[ValidationFinding]) -> Vec<ValidationFinding> {
    let mut own = of(key, findings);
    own.retain(|finding| finding.report.severity == Severity::Error);
    own
}
