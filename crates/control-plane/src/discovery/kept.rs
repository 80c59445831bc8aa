//! What of an answer goes on disk, so that a restart serves it whatever is down.

use std::sync::Arc;

use biplane_core::resources::Endpoint;
use serde::{Deserialize, Serialize};

/// One answer as the snapshot on disk keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEndpoints {
    /// What was asked, and of whom: [`Question::text`](super::Question::text).
    pub question: String,
    /// The endpoints that were served.
    pub endpoints: Arc<[Endpoint]>,
}

/// Its line.
#[derive(Serialize, Deserialize)]
pub(crate) struct EndpointsLine {
    /// First, so that the line is known by its beginning.
    endpoints: String,
    found: Vec<Endpoint>,
}

impl KeptEndpoints {
    /// The line to write.
    pub(crate) fn to_line(&self) -> EndpointsLine {
        EndpointsLine { endpoints: self.question.clone(), found: self.endpoints.to_vec() }
    }

    /// The line as it was read.
    pub(crate) fn from_line(line: EndpointsLine) -> Self {
        Self { question: line.endpoints, endpoints: line.found.into() }
    }
}
