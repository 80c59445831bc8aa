//! What a store says no with, in the words of the API.

use biplane_admin_api::resources::{Problem, ProblemKind};
use biplane_core::key::ObjectKey;
use biplane_store::{Revision, StoreError};

use crate::name;

/// Why something could not be read.
pub(crate) fn reading(error: StoreError) -> Problem {
    // Whoever reads asks for nothing that could be wrong: the store as a whole is not as it should be.
    problem(error, ProblemKind::Unavailable)
}

/// Why something could not be written.
pub(crate) fn writing(error: StoreError) -> Problem {
    problem(error, ProblemKind::BadRequest)
}

fn problem(error: StoreError, invalid: ProblemKind) -> Problem {
    let kind = match &error {
        StoreError::ReadOnly { .. } => ProblemKind::ReadOnly,
        StoreError::Conflict { .. } | StoreError::RecordConflict { .. } => ProblemKind::Conflict,
        StoreError::NotFound { .. } => ProblemKind::NotFound,
        StoreError::Denied { .. } => ProblemKind::Forbidden,
        StoreError::Invalid { .. } => invalid,
        StoreError::Unavailable { .. } | StoreError::Unmarked { .. } | StoreError::Deposed { .. } => {
            ProblemKind::Unavailable
        }
        _ => ProblemKind::Internal,
    };
    let problem = Problem { hint: error.hint().map(str::to_owned), ..Problem::new(kind, error.to_string()) };
    match error {
        StoreError::Conflict { key, found } => Problem { found: number(found), ..problem.of(name(&key)) },
        StoreError::RecordConflict { found, .. } => Problem { found: number(found), ..problem },
        StoreError::NotFound { key } => problem.of(name(&key)),
        _ => problem,
    }
}

fn number(revision: Option<Revision>) -> Option<u64> {
    revision.map(|revision| revision.0)
}

/// The object is not there.
pub(crate) fn not_found(key: &ObjectKey) -> Problem {
    reading(StoreError::NotFound { key: key.clone() })
}

/// The object is not as the caller expects it.
pub(crate) fn conflict(key: &ObjectKey, found: Option<Revision>) -> Problem {
    writing(StoreError::Conflict { key: key.clone(), found })
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    #[test]
    fn every_outcome_of_a_store_has_its_kind_and_keeps_its_advice() {
        let key = ObjectKey::new(Kind::Upstream, "default", "u");
        let outcomes = [
            (StoreError::ReadOnly { store: "s".into() }, ProblemKind::ReadOnly),
            (StoreError::Conflict { key: key.clone(), found: Some(Revision(7)) }, ProblemKind::Conflict),
            (StoreError::NotFound { key: key.clone() }, ProblemKind::NotFound),
            (StoreError::unavailable("down").with_hint("wait"), ProblemKind::Unavailable),
            (StoreError::denied("no").with_hint("ask"), ProblemKind::Forbidden),
            (
                StoreError::Unmarked { message: "new".into(), hint: Some("init".into()) },
                ProblemKind::Unavailable,
            ),
            (StoreError::Deposed { message: "other".into() }, ProblemKind::Unavailable),
            (StoreError::invalid("large"), ProblemKind::BadRequest),
        ];
        for (error, kind) in outcomes {
            let (message, hint) = (error.to_string(), error.hint().map(str::to_owned));
            let problem = writing(error);
            assert_eq!((problem.kind, problem.message, problem.hint), (kind, message, hint));
        }
        assert_eq!(conflict(&key, Some(Revision(7))).found, Some(7));
        assert_eq!(not_found(&key).object, Some(name(&key)));
        assert_eq!(reading(StoreError::invalid("torn")).kind, ProblemKind::Unavailable);
    }
}
