//! Where values are kept: what Vault and files have in common, and files. What stands there is not secret.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use crate::path::Trail;
use crate::resources::secret::{FileSecret, SecretForm};
use crate::suggest::nearest;
use crate::validate::{Validator, headers};

pub(super) fn file(v: &mut Validator<'_, '_>, secret: &FileSecret, at: &Trail<'_>) {
    source(v, secret.source.as_deref(), at);
    relative(v, &secret.path, &at.field("path"));
    let fields_at = at.field("fields");
    fields(v, secret.form, &secret.fields, &fields_at);
    for (field, name) in &secret.fields {
        if Path::new(name).components().any(|part| !matches!(part, Component::Normal(_)))
            || name.contains('/')
        {
            let hint = "the directory belongs into `path`";
            v.error_hint(&fields_at.field(field), "not the name of a file in the directory", hint);
        }
    }
}

/// A path that does not lead out of the directory of its source.
fn relative(v: &mut Validator<'_, '_>, path: &str, at: &Trail<'_>) {
    let hint = "the path starts at the directory of the secret source";
    if path.contains('\0') {
        v.error(at, "a path has no zero");
    }
    if Path::new(path).is_absolute() {
        v.error_hint(at, "the path is absolute", hint);
    }
    if Path::new(path).components().any(|part| part == Component::ParentDir) {
        v.error_hint(at, "the path leads out of its directory by ..", hint);
    }
}

pub(super) fn source(v: &mut Validator<'_, '_>, name: Option<&str>, at: &Trail<'_>) {
    if name.is_some_and(str::is_empty) {
        v.error_hint(&at.field("source"), "the secret source has no name", "leave it out for the first one");
    }
}

/// The names that values have where they are kept, by the names that they have here.
pub(super) fn fields(
    v: &mut Validator<'_, '_>,
    form: Option<SecretForm>,
    fields: &BTreeMap<String, String>,
    at: &Trail<'_>,
) {
    let known = values(form.unwrap_or_default());
    for (name, stored) in fields {
        let at = at.field(name);
        if stored.is_empty() {
            v.error(&at, "the name that the value is stored by is empty");
        }
        match known {
            Values::These(names) => known_value(v, name, names, &at),
            Values::Headers => headers::name(v, name, &at),
            Values::Any if name.is_empty() => v.error(&at, "the value has no name"),
            Values::Any => {}
            Values::Whole => v.error(&at, "a whole object is stored, so there is nothing to name"),
        }
    }
}

/// Which names a form has for its values.
#[derive(Clone, Copy)]
enum Values {
    These(&'static [&'static str]),
    Headers,
    Any,
    Whole,
}

const fn values(form: SecretForm) -> Values {
    match form {
        SecretForm::Tls => Values::These(&["certChain", "privateKey", "rootCa", "ocspStaple"]),
        SecretForm::Aws => Values::These(&["accessKey", "secretKey", "sessionToken"]),
        SecretForm::Oauth => Values::These(&["clientSecret"]),
        SecretForm::Encryption => Values::These(&["key"]),
        SecretForm::Header => Values::Headers,
        SecretForm::Credentials | SecretForm::ApiKey | SecretForm::Azure | SecretForm::Generic => Values::Any,
        SecretForm::Gloo => Values::Whole,
    }
}

fn known_value(v: &mut Validator<'_, '_>, name: &str, names: &[&'static str], at: &Trail<'_>) {
    if names.contains(&name) {
        return;
    }
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("it has {}", names.join(", ")),
    };
    v.error_hint(at, format!("a secret of this form has no value {name:?}"), hint);
}
