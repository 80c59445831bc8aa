//! Secrets that a route needs, and what is said where one is not there.

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;

use super::scope::Scope;
use crate::secret::UNKNOWN_HINT;

/// What somebody needs of a secret.
#[derive(Clone, Copy)]
pub(super) struct Need<'a> {
    pub(super) secret: &'a ResourceRef,
    /// The form that it must have.
    pub(super) form: &'static str,
    /// What happens without.
    pub(super) without: &'static str,
}

impl Need<'_> {
    /// Reports what is wrong with a secret that says who is let in. `path` is that of the option.
    pub(super) fn check(
        self,
        scope: &mut Scope<'_>,
        object: &ObjectKey,
        path: &dyn Fn() -> FieldPath,
        serves: impl FnOnce(&Secret) -> bool,
    ) {
        let found = scope.lookup.secret_values(self.secret);
        scope.set.reports.extend(self.report(object, path(), found.as_deref(), serves));
    }

    /// What to say about `found`; `None`: it serves. `serves` says whether a secret of the right form has anything in it.
    pub(super) fn report(
        self,
        object: &ObjectKey,
        path: FieldPath,
        found: Option<&Secret>,
        serves: impl FnOnce(&Secret) -> bool,
    ) -> Option<Report> {
        let Self { secret, form, without } = self;
        match found {
            None => {
                let message = format!("secret {secret} does not exist: {without} until it does");
                Some(Report::warning(object, path, message))
            }
            Some(found) if !found.is_known() => {
                let message = format!("secret {secret} is not known yet: {without} until it is");
                Some(Report::warning(object, path, message).hint(UNKNOWN_HINT))
            }
            Some(found) if !serves(found) => {
                let message =
                    format!("secret {secret} has nothing under `{form}` that can be used: {without}");
                Some(Report::error(object, path, message).hint(format!("name a secret with `{form}`")))
            }
            Some(_) => None,
        }
    }
}
