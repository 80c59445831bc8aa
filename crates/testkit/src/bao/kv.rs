//! One KV engine, of version 1 or 2, seen through a hand.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::hand::Hand;

/// A KV engine.
#[derive(Debug, Clone)]
pub struct Kv {
    hand: Hand,
    mount: String,
    version: u8,
}

impl Kv {
    pub(super) fn new(hand: Hand, mount: &str, version: u8) -> Self {
        Self { hand, mount: mount.to_owned(), version }
    }

    /// Writes all fields of a secret, an object. Version 2 makes it a new version.
    pub async fn write(&self, name: &str, fields: &Value) -> Result<()> {
        let body = if self.version == 1 { fields.clone() } else { json!({ "data": fields }) };
        self.hand.write(&self.path("data", name), &body).await.map(drop)
    }

    /// Writes only if `version` is the newest one, 0 for a new secret. Version 2 only.
    pub async fn write_if(&self, name: &str, fields: &Value, version: u64) -> Result<()> {
        let body = json!({ "data": fields, "options": { "cas": version } });
        self.hand.write(&self.path("data", name), &body).await.map(drop)
    }

    /// All fields of a secret; `None` where there is none, or its newest version is deleted.
    pub async fn read(&self, name: &str) -> Result<Option<Value>> {
        let found = self.hand.read(&self.path("data", name)).await?;
        Ok(found.map(|mut found| if self.version == 1 { found } else { found["data"].take() }))
    }

    /// The number of the newest version, deleted or not. Version 2 only.
    pub async fn newest(&self, name: &str) -> Result<u64> {
        let metadata = self.hand.read(&self.path("metadata", name)).await?;
        let metadata = metadata.with_context(|| format!("there is no secret {name}"))?;
        metadata["current_version"].as_u64().context("a secret without a version")
    }

    /// Deletes a secret; of version 2 only its newest version, which can come back.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.hand.delete(&self.path("data", name)).await
    }

    /// Brings a deleted version back. Version 2 only.
    pub async fn undelete(&self, name: &str, version: u64) -> Result<()> {
        let versions = json!({ "versions": [version] });
        self.hand.write(&self.path("undelete", name), &versions).await.map(drop)
    }

    /// Destroys a version for good. Version 2 only.
    pub async fn destroy(&self, name: &str, version: u64) -> Result<()> {
        let versions = json!({ "versions": [version] });
        self.hand.write(&self.path("destroy", name), &versions).await.map(drop)
    }

    /// Removes a secret with all its versions. Version 2 only.
    pub async fn purge(&self, name: &str) -> Result<()> {
        self.hand.delete(&self.path("metadata", name)).await
    }

    /// The names in a folder, `""` for the uppermost; folders end with a slash.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.hand.list(&self.path("metadata", folder)).await
    }

    /// The engine's own settings, which it tells when it is ready. Version 2 only.
    pub(super) async fn settings(&self) -> Result<()> {
        let settings = self.hand.read(&format!("{}/config", self.mount)).await?;
        settings.map(drop).context("the engine has no settings yet")
    }

    fn path(&self, part: &str, name: &str) -> String {
        match self.version {
            1 => format!("{}/{name}", self.mount),
            _ => format!("{}/{part}/{name}", self.mount),
        }
    }
}
