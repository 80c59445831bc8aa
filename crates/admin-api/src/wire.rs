//! What travels between the client and the server beyond the types of [`crate::resources`]:
//! queries, small bodies, and the lines of a watch.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resources::{Filter, Problem, ResourceEvent};
use crate::words::{UnknownWord, kind_of};

/// The media type of a [`Problem`].
pub const PROBLEM: &str = "application/problem+json";

/// The media type of a watch: one JSON document a line.
pub const LINES: &str = "application/x-ndjson";

/// How long a watch is silent at most before it says that it is alive.
pub const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The largest request that changes things.
pub const LARGEST_REQUEST: usize = 32 * 1024 * 1024;

/// Which resources to list or to watch: a [`Filter`] as a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ListQuery {
    /// Of this kind: `VirtualService`, `virtualservices` or `vs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// With these labels: `app=web,tier!=test,canary,!old`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
}

/// Why a query is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is no such kind.
    #[error(transparent)]
    Kind(#[from] UnknownWord),
    /// The selector cannot be read.
    #[error(transparent)]
    Selector(#[from] crate::resources::SelectorError),
}

impl ListQuery {
    /// The filter that is meant. An empty value is as good as none.
    pub fn filter(self) -> Result<Filter, QueryError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Filter {
            kind: given(self.kind).map(|word| kind_of(&word)).transpose()?,
            namespace: given(self.namespace),
            name: given(self.name),
            selector: given(self.selector).map(|text| text.parse()).transpose()?,
        })
    }
}

impl From<&Filter> for ListQuery {
    fn from(filter: &Filter) -> Self {
        Self {
            kind: filter.kind.map(|kind| kind.to_string()),
            namespace: filter.namespace.clone(),
            name: filter.name.clone(),
            selector: filter.selector.as_ref().map(ToString::to_string),
        }
    }
}

/// How one resource is written or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WriteQuery {
    /// Change nothing, and say what would be changed and found.
    pub dry_run: bool,
    /// Write although the configuration gets worse by it.
    pub force: bool,
    /// Why, in one line, for the history.
    pub message: String,
}

/// Makes an earlier version of a resource the present one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRequest {
    /// The revision at which that version was written.
    pub revision: u64,
    /// Change nothing, and say what would be changed and found.
    #[serde(default)]
    pub dry_run: bool,
    /// A remark on who asks; the server itself knows the caller.
    #[serde(default)]
    pub author: String,
}

/// Carries out the removals that a guard holds back. The body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AcceptRequest {
    /// A remark on who asks; the server itself knows the caller.
    pub author: String,
    /// The `heldTag` of the source's status that was looked at: where it is another by now, nothing is carried
    /// out (409). None: whatever is held.
    pub held_tag: Option<String>,
}

/// A store is marked as one of Biplane's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Initialized {
    /// Its identity.
    pub identity: String,
}

/// A source of secrets has been told to read everything again; what it finds shows in its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Refreshed {
    /// The source.
    pub source: String,
}

/// One line of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WatchLine {
    /// Something happened.
    Event(ResourceEvent),
    /// The watch ends, for this reason.
    Ended {
        /// Why.
        problem: Problem,
    },
}

impl From<Result<ResourceEvent, Problem>> for WatchLine {
    fn from(item: Result<ResourceEvent, Problem>) -> Self {
        item.map_or_else(|problem| Self::Ended { problem }, Self::Event)
    }
}

impl From<WatchLine> for Result<ResourceEvent, Problem> {
    fn from(line: WatchLine) -> Self {
        match line {
            WatchLine::Event(event) => Ok(event),
            WatchLine::Ended { problem } => Err(problem),
        }
    }
}
