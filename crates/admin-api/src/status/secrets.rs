//! One secret as people may see it: where it comes from, how long it lasts, who uses it. Never a value.

use biplane_core::scalars::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretStatus {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it is: `tls`, `header`, `credentials` and so on; empty: not known yet.
    pub form: String,
    /// What the last answer about it was.
    pub state: SecretState,
    /// The source that keeps its values; none: the object does.
    pub source: Option<String>,
    /// Where the source keeps them.
    pub place: Option<String>,
    /// The version that the source counts.
    pub version: Option<u64>,
    /// The certificate's subject.
    pub subject: Option<String>,
    /// Its subject alternative names.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// When its life begins.
    pub not_before: Option<Timestamp>,
    /// When it ends to be of use.
    pub expires: Option<Timestamp>,
    /// When its source will have a new one made.
    pub renews: Option<Timestamp>,
    /// When it was read or issued.
    pub obtained: Option<Timestamp>,
    /// Whether old roots are served beside new ones.
    pub rotating: bool,
    /// The objects that use it.
    pub users: Vec<String>,
    /// Why it cannot be read, or what is there cannot be used.
    pub last_error: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// What the last answer about a secret was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretState {
    /// It is there and in use.
    Known,
    /// Its source has not answered yet.
    Waiting,
    /// Its source has not answered yet; what an earlier run got is in use.
    Restored,
    /// Its source cannot tell; what was known before stays in use.
    Failed,
    /// It is known not to be there.
    Absent,
    /// What is there cannot be used; what was known before stays in use.
    Unfit,
    /// Nobody uses it, so its source is not asked.
    Unused,
    /// A state that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl SecretState {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Waiting => "waiting",
            Self::Restored => "restored",
            Self::Failed => "failed",
            Self::Absent => "absent",
            Self::Unfit => "unfit",
            Self::Unused => "unused",
            Self::Unknown => "unknown",
        }
    }
}
