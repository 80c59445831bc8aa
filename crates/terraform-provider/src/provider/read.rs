//! Reading what there is: of resources, for data sources, for an import, and from states that other versions saved.

use std::sync::Arc;

use biplane_admin_api::ProblemKind;
use biplane_admin_api::resources::Resource;

use super::{Provider, state};
use crate::diagnostics;
use crate::form::Form;
use crate::schema::settled;
use crate::value::Value;
use crate::wire::Diagnostic;
use crate::wire::calls::{
    Configured, DataSourceState, ImportRequest, ImportedResource, ImportedState, ReadRequest, ReadState,
    UpgradeRequest, UpgradedState,
};

impl Provider {
    /// What a resource is now; null if it is gone.
    pub(crate) async fn read(&self, request: ReadRequest) -> ReadState {
        let private = request.private.clone();
        match self.read_resource(&request).await {
            Ok((state, diagnostics)) => ReadState { new_state: Some(state.encode()), diagnostics, private },
            Err(fault) => ReadState { new_state: request.current_state, diagnostics: vec![fault], private },
        }
    }

    async fn read_resource(&self, request: &ReadRequest) -> Result<(Value, Vec<Diagnostic>), Diagnostic> {
        let form = self.form(&request.type_name)?;
        let before = state(form.attributes(), request.current_state.as_ref())?;
        match self.find(&form, &before).await? {
            Some(resource) => Ok(form.state(&resource, &before)),
            None => Ok((Value::Null, Vec::new())),
        }
    }

    /// What a data source names; it must be there.
    pub(crate) async fn read_data(&self, request: Configured) -> DataSourceState {
        match self.read_data_source(&request).await {
            Ok(state) => DataSourceState { state: Some(state.encode()), diagnostics: Vec::new() },
            Err(diagnostics) => DataSourceState { state: None, diagnostics },
        }
    }

    async fn read_data_source(&self, request: &Configured) -> Result<Value, Vec<Diagnostic>> {
        let one = |fault| vec![fault];
        let form = self.form(&request.type_name).map_err(one)?;
        let config = state(form.data_attributes(), request.config.as_ref()).map_err(one)?;
        let found = self.find(&form, &config).await.map_err(one)?;
        let Some(resource) = found else {
            let name = form.key(&config).map(|key| key.to_string()).unwrap_or_default();
            return Err(one(diagnostics::error(format!("{name} does not exist"), "hint: see `biplane get`")));
        };
        let (state, diagnostics) = form.state(&resource, &Value::Null);
        // What has no attribute is lost for nobody here.
        let error = i32::from(crate::wire::Severity::Error);
        if diagnostics.iter().any(|diagnostic| diagnostic.severity == error) {
            return Err(diagnostics);
        }
        Ok(settled(form.data_attributes(), state))
    }

    async fn find(&self, form: &Arc<dyn Form>, state: &Value) -> Result<Option<Resource>, Diagnostic> {
        let key = form.key(state).ok_or_else(|| diagnostics::error("The resource has no name", ""))?;
        match self.connected()?.resources.get(&key).await {
            Ok(resource) => Ok(Some(resource)),
            Err(problem) if problem.kind == ProblemKind::NotFound => Ok(None),
            Err(problem) => Err(diagnostics::problem(&problem)),
        }
    }

    /// Who an id means; OpenTofu reads it next.
    pub(crate) fn import(&self, request: &ImportRequest) -> ImportedState {
        let imported = || -> Result<ImportedResource, Diagnostic> {
            let form = self.form(&request.type_name)?;
            let state = settled(form.attributes(), form.imported(&request.id)?);
            Ok(ImportedResource { type_name: request.type_name.clone(), state: Some(state.encode()) })
        };
        match imported() {
            Ok(resource) => ImportedState { imported_resources: vec![resource], diagnostics: Vec::new() },
            Err(fault) => ImportedState { imported_resources: Vec::new(), diagnostics: vec![fault] },
        }
    }

    /// A saved state in today's form: attributes that there were no more go, and new ones are null.
    pub(crate) fn upgrade(&self, request: &UpgradeRequest) -> UpgradedState {
        let upgraded = || -> Result<Value, Diagnostic> {
            let form = self.form(&request.type_name)?;
            let saved = request.raw_state.as_ref().map(|raw| raw.json.as_ref()).unwrap_or_default();
            Ok(settled(form.attributes(), Value::of_text(saved)?))
        };
        match upgraded() {
            Ok(state) => UpgradedState { upgraded_state: Some(state.encode()), diagnostics: Vec::new() },
            Err(fault) => UpgradedState { upgraded_state: None, diagnostics: vec![fault] },
        }
    }
}
