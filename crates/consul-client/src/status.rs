//! Who leads, and whom we talk to.

use http::Method;
use serde::Deserialize;

use crate::answer::json;
use crate::client::{Client, Request};
use crate::error::Error;

/// What an agent says about itself, as far as anybody here wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentSelf {
    /// Its configuration.
    pub config: AgentConfig,
}

/// The part of an agent's configuration that it tells everybody who may ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentConfig {
    /// Its datacenter.
    pub datacenter: String,
    /// Its node's name.
    pub node_name: String,
    /// Whether it is a server.
    #[serde(default)]
    pub server: bool,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

impl Client {
    /// The leader's address; `None`: there is none.
    pub async fn leader(&self) -> Result<Option<String>, Error> {
        let raw = self.send(Request::new(Method::GET, "status/leader")).await?;
        let leader: String = json(&raw.success(self.address())?.value, self.address())?;
        Ok(Some(leader).filter(|leader| !leader.is_empty()))
    }

    /// What the agent says about itself; needs `agent:read`.
    pub async fn agent_self(&self) -> Result<AgentSelf, Error> {
        let raw = self.send(Request::new(Method::GET, "agent/self")).await?;
        json(&raw.success(self.address())?.value, self.address())
    }
}
