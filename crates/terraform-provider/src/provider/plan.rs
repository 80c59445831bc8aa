//! What a change would come to: the planned state, and what Biplane says about it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use biplane_admin_api::ProblemKind;
use biplane_admin_api::key::ObjectKey;
use biplane_admin_api::resources::{Change, Expect, Operation, ValidationFinding};
use biplane_admin_api::status::Severity;

use super::{Connection, Provider, finding, state, told};
use crate::diagnostics;
use crate::form::{Draft, Form, REVISION};
use crate::value::Value;
use crate::wire::calls::{Plan, PlanRequest};
use crate::wire::{AttributePath, Diagnostic};

impl Provider {
    /// Plans one resource.
    pub(crate) async fn plan(&self, request: PlanRequest) -> Plan {
        let planned = match self.planned(&request) {
            Ok(planned) => planned,
            Err(fault) => return Plan { diagnostics: vec![fault], ..Plan::default() },
        };
        self.remember(&planned);
        let tried = planned.changes && !planned.after.is_null() && !self.applies.load(Ordering::Relaxed);
        let diagnostics = match self.connection().filter(|_| tried) {
            Some(connection) => self.judge(&connection, &planned).await,
            None => Vec::new(),
        };
        Plan {
            planned_state: Some(planned.after.encode()),
            requires_replace: planned.replaced(),
            planned_private: request.prior_private,
            diagnostics,
        }
    }

    fn planned(&self, request: &PlanRequest) -> Result<Planned, Diagnostic> {
        let form = self.form(&request.type_name)?;
        let before = state(form.attributes(), request.prior_state.as_ref())?;
        let proposed = state(form.attributes(), request.proposed_new_state.as_ref())?;
        let config = state(form.attributes(), request.config.as_ref())?;
        if proposed.is_null() {
            return Ok(Planned { form, before, after: Value::Null, changes: true });
        }
        let mut after = form.planned(&before, proposed, &config);
        after.set(REVISION, before.get(REVISION).clone());
        let changes = after != before;
        if changes {
            after.set(REVISION, Value::Unknown);
        }
        Ok(Planned { form, before, after, changes })
    }

    /// Has Biplane try the change. What is not known yet is left out, and so is what may be found only because of that.
    async fn judge(&self, connection: &Connection, planned: &Planned) -> Vec<Diagnostic> {
        let form = &*planned.form;
        let Some(key) = form.key(&planned.after) else { return Vec::new() };
        let draft = form.draft(&planned.after);
        if draft.text.is_empty() {
            return Vec::new();
        }
        let text = draft.text.clone();
        let operation = Operation::Put { text, origin: key.to_string(), line: 1, key: Some((&key).into()) };
        let change = Change { operation, expect: self.expected(&key) };
        match connection.batches.try_out(key.clone(), change, draft.unknown.is_empty()).await {
            Ok(done) => warnings(form, &key, &draft, &done.findings),
            Err(problem) if problem.kind == ProblemKind::Conflict => {
                let hint = "hint: to take it over, write an import block or run `tofu import`; with its own name there can \
                            be another one";
                let path = AttributePath::root(form.identity().last().expect("it has a name"));
                vec![diagnostics::at(diagnostics::error(format!("{key} exists already"), hint), path)]
            }
            Err(problem) => told(form, &key, &problem, |path| !draft.may_explain(path)),
        }
    }

    fn remember(&self, planned: &Planned) {
        let mut managed = self.managed.lock().expect("nobody panics with it");
        managed.extend(planned.form.key(&planned.before));
    }

    /// What is new must not be there, unless it is there because it is replaced.
    fn expected(&self, key: &ObjectKey) -> Expect {
        let managed = self.managed.lock().expect("nobody panics with it");
        if managed.contains(key) { Expect::Anything } else { Expect::Absent }
    }
}

struct Planned {
    form: Arc<dyn Form>,
    before: Value,
    after: Value,
    changes: bool,
}

impl Planned {
    /// With another name it is another object.
    fn replaced(&self) -> Vec<AttributePath> {
        if self.before.is_null() || self.after.is_null() {
            return Vec::new();
        }
        let differs = |name: &&&str| self.before.get(name) != self.after.get(name);
        self.form.identity().iter().filter(differs).map(|name| AttributePath::root(name)).collect()
    }
}

fn warnings(
    form: &dyn Form,
    key: &ObjectKey,
    draft: &Draft,
    findings: &[ValidationFinding],
) -> Vec<Diagnostic> {
    let reports = findings.iter().map(|finding| &finding.report);
    let known = reports.filter(|report| !draft.may_explain(&report.path));
    let warnings = known.filter(|report| report.severity == Severity::Warning);
    warnings.map(|report| finding(form, key, report)).collect()
}
