//! What each method is asked and answers.

use bytes::Bytes;
use prost::Message;

use super::schema::Schemas;
use super::{AttributePath, Diagnostic, DynamicValue, RawState, Schema};

/// Nothing to say.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Empty {}

/// Answers `GetProviderSchema`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProviderSchema {
    /// Of the `provider` block.
    #[prost(message, optional, tag = "1")]
    pub(crate) provider: Option<Schema>,
    /// Of resources, by type.
    #[prost(map = "string, message", tag = "2")]
    pub(crate) resource_schemas: Schemas,
    /// Of data sources, by type.
    #[prost(map = "string, message", tag = "3")]
    pub(crate) data_source_schemas: Schemas,
    /// What went wrong.
    #[prost(message, repeated, tag = "4")]
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What else the provider can do.
    #[prost(message, optional, tag = "6")]
    pub(crate) server_capabilities: Option<Capabilities>,
}

/// What a provider can do that not all can.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Capabilities {
    /// It need not be asked for its schema each time that it starts.
    #[prost(bool, tag = "2")]
    pub(crate) get_provider_schema_optional: bool,
}

/// Asks `ConfigureProvider`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigureRequest {
    /// The version of OpenTofu or Terraform.
    #[prost(string, tag = "1")]
    pub(crate) terraform_version: String,
    /// The `provider` block.
    #[prost(message, optional, tag = "2")]
    pub(crate) config: Option<DynamicValue>,
}

/// Asks `ValidateProviderConfig`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProviderConfig {
    /// The `provider` block.
    #[prost(message, optional, tag = "1")]
    pub(crate) config: Option<DynamicValue>,
}

/// Answers `ValidateProviderConfig`, which has room for a value that nobody reads any more.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProviderDiagnostics {
    /// What is wrong.
    #[prost(message, repeated, tag = "2")]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Answers methods that only judge.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Diagnostics {
    /// What is wrong.
    #[prost(message, repeated, tag = "1")]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Asks `ValidateResourceConfig`, `ValidateDataResourceConfig` and `ReadDataSource`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Configured {
    /// Which type.
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    /// What the user wrote.
    #[prost(message, optional, tag = "2")]
    pub(crate) config: Option<DynamicValue>,
}

/// Answers `ReadDataSource`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DataSourceState {
    /// What was read.
    #[prost(message, optional, tag = "1")]
    pub(crate) state: Option<DynamicValue>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Asks `UpgradeResourceState`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UpgradeRequest {
    /// Which type.
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    /// The state as it was saved.
    #[prost(message, optional, tag = "3")]
    pub(crate) raw_state: Option<RawState>,
}

/// Answers `UpgradeResourceState`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UpgradedState {
    /// The state in today's form.
    #[prost(message, optional, tag = "1")]
    pub(crate) upgraded_state: Option<DynamicValue>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Asks `ReadResource`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadRequest {
    /// Which type.
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    /// What was known.
    #[prost(message, optional, tag = "2")]
    pub(crate) current_state: Option<DynamicValue>,
    /// What goes along unseen.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) private: Bytes,
}

/// Answers `ReadResource`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadState {
    /// What is known now; null: it is gone.
    #[prost(message, optional, tag = "1")]
    pub(crate) new_state: Option<DynamicValue>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What goes along unseen.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) private: Bytes,
}

/// Asks `PlanResourceChange`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PlanRequest {
    /// Which type.
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    /// What there is.
    #[prost(message, optional, tag = "2")]
    pub(crate) prior_state: Option<DynamicValue>,
    /// What the user wants, with what there is where the user says nothing.
    #[prost(message, optional, tag = "3")]
    pub(crate) proposed_new_state: Option<DynamicValue>,
    /// What the user wrote.
    #[prost(message, optional, tag = "4")]
    pub(crate) config: Option<DynamicValue>,
    /// What goes along unseen.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) prior_private: Bytes,
}

/// Answers `PlanResourceChange`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Plan {
    /// What there will be.
    #[prost(message, optional, tag = "1")]
    pub(crate) planned_state: Option<DynamicValue>,
    /// What cannot be changed without making it anew.
    #[prost(message, repeated, tag = "2")]
    pub(crate) requires_replace: Vec<AttributePath>,
    /// What goes along unseen.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) planned_private: Bytes,
    /// What is wrong.
    #[prost(message, repeated, tag = "4")]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Asks `ApplyResourceChange`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ApplyRequest {
    /// Which type.
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    /// What there is.
    #[prost(message, optional, tag = "2")]
    pub(crate) prior_state: Option<DynamicValue>,
    /// What is to be.
    #[prost(message, optional, tag = "3")]
    pub(crate) planned_state: Option<DynamicValue>,
    /// What goes along unseen.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) planned_private: Bytes,
}

/// Answers `ApplyResourceChange`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppliedState {
    /// What there is now.
    #[prost(message, optional, tag = "1")]
    pub(crate) new_state: Option<DynamicValue>,
    /// What goes along unseen.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) private: Bytes,
    /// What went wrong.
    #[prost(message, repeated, tag = "3")]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Asks `ImportResourceState`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ImportRequest {
    /// Which type.
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    /// What the user calls it.
    #[prost(string, tag = "2")]
    pub(crate) id: String,
}

/// Answers `ImportResourceState`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ImportedState {
    /// What was found; it is read next.
    #[prost(message, repeated, tag = "1")]
    pub(crate) imported_resources: Vec<ImportedResource>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// One resource of [`ImportedState`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ImportedResource {
    /// Its type.
    #[prost(string, tag = "1")]
    pub(crate) type_name: String,
    /// Who it is.
    #[prost(message, optional, tag = "2")]
    pub(crate) state: Option<DynamicValue>,
}

/// Answers a health check: 1 is well.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Health {
    /// How it is.
    #[prost(int32, tag = "1")]
    pub(crate) status: i32,
}

/// Answers `StopProvider`; empty: well.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stopped {
    /// What went wrong.
    #[prost(string, tag = "1")]
    pub(crate) error: String,
}
