//! Access logs.

use schemars::JsonSchema;
use serde::Deserialize;

/// Where a line for each request goes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AccessLoggingService {
    /// The logs.
    pub access_log: Vec<AccessLog>,
}

/// One log.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AccessLog {
    /// A file on the machine that runs Envoy.
    pub file_sink: Option<FileSink>,
}

/// A file; one of the formats at most, default Envoy's own line.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FileSink {
    /// The file; `/dev/stdout` is Envoy's own output.
    pub path: String,
    /// A line with Envoy's substitution formatters. A newline is added where there is none.
    pub string_format: Option<String>,
    /// A JSON object whose text values hold Envoy's substitution formatters.
    pub json_format: Option<serde_json::Map<String, serde_json::Value>>,
}
