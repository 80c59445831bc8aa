//! The longest life of a stream.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Duration;

/// Limits of a stream's life.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MaxStreamDuration {
    /// The limit; 0s: none.
    pub max_stream_duration: Option<Duration>,
    /// The most that a request may ask for by `grpc-timeout`; 0s: as much as it likes.
    pub grpc_timeout_header_max: Option<Duration>,
    /// Taken off the request's `grpc-timeout`, for the way back.
    pub grpc_timeout_header_offset: Option<Duration>,
}
