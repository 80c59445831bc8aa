//! From the texts of a request to the objects that it wants.

use std::collections::BTreeMap;

use biplane_admin_api::resources::{
    ApplyRequest, Change, Expect, Name, Operation, Problem, ProblemKind, ValidationFinding,
};
use biplane_admin_api::status::{ObjectReport, Severity};
use biplane_core::document::{IdentifyHint, identify};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;

use crate::name;

/// What a text is called whose caller does not say where it has it from.
const NOWHERE: &str = "request";

/// One object as the caller wants it. It may hold secrets, so it has no `Debug`.
pub(crate) struct Wanted {
    pub(crate) key: ObjectKey,
    pub(crate) wish: Wish,
    pub(crate) expect: Expect,
}

/// What is to become of an object.
pub(crate) enum Wish {
    /// It is to be this.
    Put {
        text: String,
        /// Where the caller has it from.
        location: Location,
        /// The text is one that was stored before: it is written as it is.
        stored: bool,
    },
    /// It is to go.
    Delete,
}

/// Everything that a request names, each object once.
pub(crate) fn wanted(request: &ApplyRequest) -> Result<Vec<Wanted>, Problem> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for change in &request.changes {
        match one(change) {
            Ok(wanted) => known.push(wanted),
            Err(finding) => unknown.push(finding),
        }
    }
    if !unknown.is_empty() {
        return Err(not_understood(unknown));
    }
    once_each(&known)?;
    Ok(known)
}

fn one(change: &Change) -> Result<Wanted, ValidationFinding> {
    let expect = change.expect;
    match &change.operation {
        Operation::Delete { key } => Ok(Wanted { key: key.into(), wish: Wish::Delete, expect }),
        Operation::Put { text, origin, line, key } => {
            let location = place(origin, *line);
            let key = which(text, &location, key.as_ref())?;
            let wish = Wish::Put { text: text.clone(), location, stored: false };
            Ok(Wanted { key, wish, expect })
        }
    }
}

fn place(origin: &str, line: u32) -> Location {
    Location::file(if origin.is_empty() { NOWHERE } else { origin }, line.max(1))
}

fn which(text: &str, location: &Location, told: Option<&Name>) -> Result<ObjectKey, ValidationFinding> {
    let hint = told.map_or_else(IdentifyHint::default, |name| IdentifyHint {
        kind: Some(name.kind),
        namespace: Some(name.namespace.clone()),
        name: Some(name.name.clone()),
    });
    let found = identify(text, &hint).map_err(|error| {
        let at = location.offset(error.line.saturating_sub(1));
        finding(&at, error.message, error.hint)
    })?;
    match told.map(ObjectKey::from) {
        Some(told) if told != found => {
            let message = format!("this is {found}, but {told} is to be written");
            Err(finding(location, message, Some("correct its kind, namespace and name".to_owned())))
        }
        _ => Ok(found),
    }
}

fn finding(location: &Location, message: String, hint: Option<String>) -> ValidationFinding {
    let report = ObjectReport {
        severity: Severity::Error,
        location: Some(location.to_string()),
        message,
        hint,
        ..ObjectReport::default()
    };
    ValidationFinding { new: true, report }
}

fn not_understood(findings: Vec<ValidationFinding>) -> Problem {
    let first = &findings[0].report;
    let place = first.location.as_deref().unwrap_or(NOWHERE);
    let message = match findings.len() - 1 {
        0 => format!("{place}: {}", first.message),
        1 => format!("{place}: {} (and 1 document more)", first.message),
        more => format!("{place}: {} (and {more} documents more)", first.message),
    };
    let hint = first.hint.clone();
    Problem { hint, findings, ..Problem::new(ProblemKind::BadRequest, message) }
}

/// Two changes of one object in one step have no order.
fn once_each(wanted: &[Wanted]) -> Result<(), Problem> {
    let mut seen = BTreeMap::new();
    for wanted in wanted {
        let Some(first) = seen.insert(&wanted.key, wanted) else { continue };
        let message = format!("{} occurs twice: {} and {}", wanted.key, first.place(), wanted.place());
        return Err(Problem::new(ProblemKind::BadRequest, message)
            .hint("take one of them out; a request changes an object once")
            .of(name(&wanted.key)));
    }
    Ok(())
}

impl Wanted {
    fn place(&self) -> String {
        match &self.wish {
            Wish::Put { location, .. } => location.to_string(),
            Wish::Delete => "a deletion".to_owned(),
        }
    }
}
