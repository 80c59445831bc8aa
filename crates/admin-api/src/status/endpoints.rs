//! The endpoints of one upstream, where they come from and how old that is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An upstream and its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointsStatus {
    /// The upstream's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How its endpoints are known: `static`, `pipe`, `consul`, `nomad`, `awsEc2`, `dns`.
    pub kind: String,
    /// Where that stands.
    pub state: EndpointsState,
    /// The source that is asked; none: they are written into the upstream.
    pub source: Option<String>,
    /// What the source is asked for, in short.
    pub query: Option<String>,
    /// How long the source has not confirmed them, in seconds; 0: it does now.
    pub age_seconds: Option<u64>,
    /// The endpoints in use, unhealthy ones too.
    pub endpoints: Vec<EndpointStatus>,
    /// The objects that use the upstream.
    pub users: Vec<String>,
    /// Why they cannot be looked up.
    pub last_error: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// One endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointStatus {
    /// Address and port, or the path of a socket.
    pub address: String,
    /// What its source calls it.
    pub id: Option<String>,
    /// `healthy`, `unhealthy`, `draining`, `unknown`.
    pub health: String,
    /// Its share of the requests.
    pub weight: u32,
    /// The region that it is in.
    pub region: Option<String>,
    /// The zone that it is in.
    pub zone: Option<String>,
    /// What routes can select it by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Where the knowledge of an upstream's endpoints stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndpointsState {
    /// They are written into the upstream.
    Static,
    /// What is shown is all there is.
    Complete,
    /// The source has not answered yet.
    Waiting,
    /// The source has not answered yet; what an earlier run knew is in use.
    Restored,
    /// The source cannot tell; what was known before stays in use.
    Failed,
    /// The source shows none, as it does of many others at once; what was known before stays in use.
    Held,
    /// No source can be asked.
    Unanswerable,
    /// No route uses the upstream, so its source is not asked.
    Unused,
    /// A state that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl EndpointsState {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Complete => "complete",
            Self::Waiting => "waiting",
            Self::Restored => "restored",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Unanswerable => "unanswerable",
            Self::Unused => "unused",
            Self::Unknown => "unknown",
        }
    }
}
