//! The types of resources: how each looks in HCL, and how it becomes an object of Biplane's and comes back.
//!
//! [`Typed`] has attributes for the fields of one kind; [`Raw`] takes any kind as a text. What is done with either is
//! the same, so the rest of the provider sees [`Form`] only.

mod raw;
mod typed;

use std::collections::BTreeMap;
use std::sync::Arc;

use biplane_admin_api::key::{DEFAULT_NAMESPACE, Kind, ObjectKey, check_name};
use biplane_admin_api::resources::Resource;

use crate::diagnostics;
use crate::schema::{Attribute, Mode, Shape};
use crate::value::Value;
use crate::wire::{AttributePath, Diagnostic};
pub(crate) use raw::Raw;
pub(crate) use typed::Typed;

/// The attribute with the revision that a resource was last seen at, by which changes of others are noticed.
pub(crate) const REVISION: &str = "revision";

/// A type of resources, and the data source of the same name.
pub(crate) trait Form: Send + Sync {
    /// What it is for.
    fn description(&self) -> &str;

    /// The attributes of the resource.
    fn attributes(&self) -> &[Attribute];

    /// The attributes of the data source.
    fn data_attributes(&self) -> &[Attribute];

    /// What is wrong with a configuration whatever Biplane holds.
    fn check(&self, config: &Value) -> Vec<Diagnostic>;

    /// What there will be, but for the revision.
    fn planned(&self, prior: &Value, proposed: Value, config: &Value) -> Value;

    /// The attributes that say who it is: with another one of these it is another object.
    fn identity(&self) -> &'static [&'static str];

    /// Which object it is; none while that is not known.
    fn key(&self, state: &Value) -> Option<ObjectKey>;

    /// The document to write.
    fn draft(&self, state: &Value) -> Draft;

    /// What an object that was read looks like, in the words of `prior` where it says the same.
    fn state(&self, resource: &Resource, prior: &Value) -> (Value, Vec<Diagnostic>);

    /// Where in the resource a finding is about.
    fn path(&self, field_path: &str) -> Option<AttributePath>;

    /// The attributes that `tofu import` tells by an id.
    fn imported(&self, id: &str) -> Result<Value, Diagnostic>;
}

/// A document, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    /// The document.
    pub(crate) text: String,
    /// The paths of fields that are not known yet.
    pub(crate) unknown: Vec<String>,
}

impl Draft {
    /// Whether a finding may be there only because something is not known yet: it is about what would hold that, or
    /// about its neighbours.
    pub(crate) fn may_explain(&self, path: &str) -> bool {
        self.unknown.iter().any(|unknown| {
            let parent = unknown.rfind(['.', '[']).map_or("", |end| &unknown[..end]);
            unknown.starts_with(path) || path.starts_with(parent)
        })
    }
}

/// All types, by name.
pub(crate) type Forms = BTreeMap<String, Arc<dyn Form>>;

/// Makes all types.
pub(crate) fn all() -> Forms {
    let mut forms = Forms::new();
    for kind in Kind::ALL {
        let typed = Typed::new(kind);
        forms.insert(typed.type_name(), Arc::new(typed));
    }
    forms.insert(Raw::TYPE_NAME.to_owned(), Arc::new(Raw::new()));
    forms
}

/// The attribute of [`REVISION`].
fn revision() -> Attribute {
    let description = "The store's revision at which it last changed. A change that others have made since is an \
                       error and is not overwritten.";
    Attribute::own(REVISION, Shape::Number, Mode::Computed, description)
}

/// The key that two texts name.
fn key(kind: Kind, namespace: &Value, name: &Value) -> Option<ObjectKey> {
    let namespace = if namespace.is_null() { DEFAULT_NAMESPACE } else { namespace.text()? };
    Some(ObjectKey::new(kind, namespace, name.text()?))
}

/// What is wrong with a name, if anything is.
fn check_word(attribute: &str, value: &Value) -> Option<Diagnostic> {
    let reason = check_name(value.text()?).err()?;
    let diagnostic = diagnostics::error(format!("This cannot be a {attribute}: {reason}"), "");
    Some(diagnostics::at(diagnostic, AttributePath::root(attribute)))
}

/// Takes `NAMESPACE/NAME` or `NAME` apart.
fn namespace_and_name(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((DEFAULT_NAMESPACE, id))
}

fn not_an_id(id: &str, form: &str) -> Diagnostic {
    diagnostics::error(format!("{id:?} is not the id of a resource"), &format!("hint: write {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_type() {
        let names: Vec<_> = all().into_keys().collect();
        let expected = [
            "biplane_gateway",
            "biplane_resource",
            "biplane_route_option",
            "biplane_route_table",
            "biplane_secret",
            "biplane_settings",
            "biplane_upstream",
            "biplane_upstream_group",
            "biplane_virtual_host_option",
            "biplane_virtual_service",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_is_not_known_yet_explains_findings_about_its_surroundings_only() {
        let unknown = vec!["virtualHost.routes[0].routeAction.single.upstream.name".to_owned()];
        let draft = Draft { unknown, ..Draft::default() };
        for path in [
            "",
            "virtualHost.routes[0].routeAction.single.upstream",
            "virtualHost.routes[0].routeAction.single.upstream.namespace",
            "virtualHost.routes[0]",
        ] {
            assert!(draft.may_explain(path), "{path}");
        }
        for path in
            ["virtualHost.domains", "virtualHost.routes[1].matchers[0]", "virtualHost.routes[0].options"]
        {
            assert!(!draft.may_explain(path), "{path}");
        }
        assert!(!Draft::default().may_explain(""));
    }
}
