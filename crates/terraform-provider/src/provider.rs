//! What OpenTofu asks of the provider, one method a question. Each answers with values and diagnostics and keeps no
//! state of its own but the way to Biplane.

mod apply;
pub(crate) mod config;
mod plan;
mod read;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use biplane_admin_api::key::ObjectKey;
use biplane_admin_api::resources::Resources;
use biplane_admin_api::status::ObjectReport;
use biplane_admin_api::{Client, Problem};

use crate::batch::{Activity, Batches};
use crate::form::{self, Form, Forms};
use crate::schema::{schema, settled};
use crate::value::Value;
use crate::wire::calls::{Capabilities, ConfigureRequest, Configured, Diagnostics, ProviderSchema};
use crate::wire::{Diagnostic, DynamicValue};
use crate::{diagnostics, schema::Attribute};

/// The provider.
pub(crate) struct Provider {
    forms: Forms,
    /// Who is being answered.
    pub(crate) activity: Arc<Activity>,
    connection: Mutex<Option<Arc<Connection>>>,
    /// Whether something was applied already. OpenTofu plans each resource once more before it applies it, in the process
    /// that applies: the write that follows says the same as a dry run.
    applies: AtomicBool,
    /// The objects that are in the state. One that is replaced under its own name is planned as a new one.
    managed: Mutex<BTreeSet<ObjectKey>>,
}

/// The way to Biplane.
struct Connection {
    resources: Arc<dyn Resources>,
    batches: Batches,
}

impl Provider {
    /// A provider that was not configured yet.
    pub(crate) fn new() -> Self {
        Self {
            forms: form::all(),
            activity: Arc::new(Activity::new()),
            connection: Mutex::new(None),
            applies: AtomicBool::new(false),
            managed: Mutex::new(BTreeSet::new()),
        }
    }

    /// What there is.
    pub(crate) fn schema(&self) -> ProviderSchema {
        let resources = self
            .forms
            .iter()
            .map(|(name, form)| (name.clone(), schema(form.description(), form.attributes())));
        let data = self
            .forms
            .iter()
            .map(|(name, form)| (name.clone(), schema(form.description(), form.data_attributes())));
        ProviderSchema {
            provider: Some(schema(config::DESCRIPTION, &config::attributes())),
            resource_schemas: resources.collect(),
            data_source_schemas: data.collect(),
            diagnostics: Vec::new(),
            server_capabilities: Some(Capabilities { get_provider_schema_optional: true }),
        }
    }

    /// Finds the way to Biplane; asks nothing yet. An address that is not known yet leaves it for later.
    pub(crate) fn configure(&self, request: &ConfigureRequest) -> Diagnostics {
        let connect = || -> Result<Option<Connection>, Diagnostic> {
            let config = Value::decode(request.config.as_ref())?;
            let Some(options) = config::options(&config)? else { return Ok(None) };
            let client = Client::open(options).map_err(|problem| diagnostics::problem(&problem))?;
            let message = format!("by OpenTofu or Terraform {}", request.terraform_version);
            Ok(Some(self.connect(Arc::new(client), &message)))
        };
        match connect() {
            Ok(connection) => {
                *self.connection.lock().expect("nobody panics with it") = connection.map(Arc::new);
                Diagnostics::default()
            }
            Err(diagnostic) => Diagnostics { diagnostics: vec![diagnostic] },
        }
    }

    fn connect(&self, resources: Arc<dyn Resources>, message: &str) -> Connection {
        let batches = Batches::start(&resources, &self.activity, message);
        Connection { resources, batches }
    }

    /// Whether a resource is written as it must be.
    pub(crate) fn check_resource(&self, request: &Configured) -> Diagnostics {
        let check = || -> Result<Vec<Diagnostic>, Diagnostic> {
            let form = self.form(&request.type_name)?;
            Ok(form.check(&state(form.attributes(), request.config.as_ref())?))
        };
        Diagnostics { diagnostics: check().unwrap_or_else(|fault| vec![fault]) }
    }

    fn form(&self, type_name: &str) -> Result<Arc<dyn Form>, Diagnostic> {
        let unknown =
            || diagnostics::error(format!("There is no type {type_name}"), "hint: use a newer provider");
        self.forms.get(type_name).cloned().ok_or_else(unknown)
    }

    /// The way to Biplane, if it is known.
    fn connection(&self) -> Option<Arc<Connection>> {
        self.connection.lock().expect("nobody panics with it").clone()
    }

    fn connected(&self) -> Result<Arc<Connection>, Diagnostic> {
        let hint = "hint: the provider's address has to be known when resources are read; apply what it depends on first, \
                    with -target";
        self.connection().ok_or_else(|| diagnostics::error("The address of Biplane is not known yet", hint))
    }
}

/// Whether the `provider` block can be used.
pub(crate) fn check_config(config: Option<&DynamicValue>) -> Vec<Diagnostic> {
    match Value::decode(config).map_err(Diagnostic::from).and_then(|config| config::options(&config)) {
        Ok(_) => Vec::new(),
        Err(diagnostic) => vec![diagnostic],
    }
}

/// A state as its attributes tell.
fn state(attributes: &[Attribute], encoded: Option<&DynamicValue>) -> Result<Value, Diagnostic> {
    Ok(settled(attributes, Value::decode(encoded)?))
}

/// What was not done, with a place for each of its findings that `shown` lets pass.
fn told(
    form: &dyn Form,
    key: &ObjectKey,
    problem: &Problem,
    shown: impl Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    if problem.findings.is_empty() {
        return vec![diagnostics::problem(problem)];
    }
    let reports = problem.findings.iter().filter(|finding| finding.new).map(|finding| &finding.report);
    reports.filter(|report| shown(&report.path)).map(|report| finding(form, key, report)).collect()
}

/// A finding, at its attribute if it is about this object.
fn finding(form: &dyn Form, key: &ObjectKey, report: &ObjectReport) -> Diagnostic {
    let own = report.object.as_ref().is_none_or(|object| *object == key.to_string());
    diagnostics::finding(report, own.then(|| form.path(&report.path)).flatten())
}

#[cfg(test)]
mod tests;
