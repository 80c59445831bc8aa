//! Making a change, under the condition that the object is what the plan was made from.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use biplane_admin_api::key::ObjectKey;
use biplane_admin_api::resources::{Change, Expect, Operation};
use biplane_admin_api::{Problem, ProblemKind};

use super::{Connection, Provider, state, told};
use crate::batch::Done;
use crate::diagnostics;
use crate::form::{Form, REVISION};
use crate::value::Value;
use crate::wire::Diagnostic;
use crate::wire::calls::{AppliedState, ApplyRequest};

impl Provider {
    /// Creates, changes or deletes one resource.
    pub(crate) async fn apply(&self, request: ApplyRequest) -> AppliedState {
        self.applies.store(true, Ordering::Relaxed);
        let private = request.planned_private.clone();
        let (before, outcome) = match self.wish(&request) {
            Ok(wish) => (wish.before.clone(), wish.carry_out().await),
            Err(fault) => {
                let diagnostics = vec![fault];
                return AppliedState { new_state: request.prior_state, private, diagnostics };
            }
        };
        match outcome {
            Ok(after) => AppliedState { new_state: Some(after.encode()), private, diagnostics: Vec::new() },
            // Nothing was changed: all of a request is done or nothing.
            Err(diagnostics) => AppliedState { new_state: Some(before.encode()), private, diagnostics },
        }
    }

    fn wish(&self, request: &ApplyRequest) -> Result<Wish, Diagnostic> {
        let form = self.form(&request.type_name)?;
        let before = state(form.attributes(), request.prior_state.as_ref())?;
        let after = state(form.attributes(), request.planned_state.as_ref())?;
        let meant = if after.is_null() { &before } else { &after };
        let key = form.key(meant).ok_or_else(|| diagnostics::error("The resource has no name", ""))?;
        Ok(Wish { form, key, before, after, connection: self.connected()? })
    }
}

/// What is to become of an object.
struct Wish {
    form: Arc<dyn Form>,
    key: ObjectKey,
    before: Value,
    after: Value,
    connection: Arc<Connection>,
}

impl Wish {
    /// The new state, or what went wrong.
    async fn carry_out(mut self) -> Result<Value, Vec<Diagnostic>> {
        let mut expect = match self.before.get(REVISION) {
            Value::Number(revision) => Expect::Revision(revision.as_u64().unwrap_or_default()),
            _ => Expect::Absent,
        };
        loop {
            let change = Change { operation: self.operation(), expect };
            match self.connection.batches.write(self.key.clone(), change).await {
                Ok(done) => return Ok(self.done(&done)),
                Err(problem) if problem.kind == ProblemKind::Conflict => {
                    expect = self.conflict(&problem).await?;
                }
                Err(problem) => return Err(told(&*self.form, &self.key, &problem, |_| true)),
            }
        }
    }

    fn operation(&self) -> Operation {
        if self.after.is_null() {
            return Operation::Delete { key: (&self.key).into() };
        }
        let text = self.form.draft(&self.after).text;
        Operation::Put { text, origin: self.key.to_string(), line: 1, key: Some((&self.key).into()) }
    }

    fn done(&mut self, done: &Done) -> Value {
        let mut after = std::mem::take(&mut self.after);
        after.set(REVISION, done.revision.into());
        after
    }

    /// The object is at another revision than the plan was made from. If it still says what it said (a file store counts
    /// anew when Biplane starts), that one will do; otherwise somebody has changed it, and that is not overwritten.
    async fn conflict(&self, problem: &Problem) -> Result<Expect, Vec<Diagnostic>> {
        let key = &self.key;
        if self.before.is_null() {
            let hint = "Somebody has made it since the plan. hint: to take it over, write an import block or run \
                        `tofu import`";
            return Err(vec![diagnostics::error(format!("{key} exists already"), hint)]);
        }
        let found = match self.connection.resources.get(key).await {
            Ok(found) => found,
            Err(gone) if gone.kind == ProblemKind::NotFound => {
                let hint = "Somebody has deleted it since the plan. hint: plan again, which makes it anew";
                return Err(vec![diagnostics::error(format!("{key} is gone"), hint)]);
            }
            Err(_) => return Err(told(&*self.form, key, problem, |_| true)),
        };
        let (mut state, _) = self.form.state(&found, &self.before);
        state.set(REVISION, self.before.get(REVISION).clone());
        if state == self.before {
            return Ok(Expect::Revision(found.revision));
        }
        let hint = "Nothing was overwritten. hint: plan again to see the change, then keep it or undo it";
        Err(vec![diagnostics::error(format!("{key} was changed by somebody else since the plan"), hint)])
    }
}
