//! Retry policy.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Duration;

/// When and how often a request is tried again.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Retries {
    /// Envoy's conditions, separated by commas: `5xx,connect-failure`.
    pub retry_on: String,
    /// Tries after the first. Default 1.
    pub num_retries: Option<u32>,
    /// How long each try may take.
    pub per_try_timeout: Option<Duration>,
    /// Wait between tries. Envoy's default: 25 ms, growing to 250 ms, with jitter.
    pub retry_back_off: Option<RetryBackOff>,
    /// Status codes that count as failed under the condition `retriable-status-codes`.
    pub retriable_status_codes: Vec<u32>,
}

/// An exponential wait with jitter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RetryBackOff {
    /// The first wait; required, above 0.
    pub base_interval: Option<Duration>,
    /// The longest wait. Default: ten times the first.
    pub max_interval: Option<Duration>,
}
