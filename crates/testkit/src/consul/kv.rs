//! Keys and values, over plain HTTP.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use super::Consul;
use crate::http::escaped;

/// Operations of a transaction; Consul takes 64.
const TRANSACTION: usize = 64;

impl Consul {
    /// Writes a key.
    pub async fn kv_put(&self, key: &str, value: impl Into<Bytes>) -> Result<()> {
        let answer = self.call(Method::PUT, &path(key), value).await?;
        ensure!(answer.text().trim() == "true", "{key} was not written: {}", answer.text());
        Ok(())
    }

    /// Writes many keys, 64 to a transaction.
    pub async fn kv_put_many(&self, entries: &[(String, String)]) -> Result<()> {
        for chunk in entries.chunks(TRANSACTION) {
            let set = |(key, value): &(String, String)| json!({ "KV": { "Verb": "set", "Key": key, "Value": STANDARD.encode(value) } });
            self.txn(&chunk.iter().map(set).collect()).await?;
        }
        Ok(())
    }

    /// Reads a key.
    pub async fn kv_get(&self, key: &str) -> Result<Option<String>> {
        let request =
            self.access.request(Method::GET, &format!("{}?raw", path(key)), Bytes::new(), self.access.token);
        let answer = request.send_to(self.server.http()).await?;
        match answer.status {
            200 => Ok(Some(answer.text())),
            404 => Ok(None),
            other => anyhow::bail!("{key}: {other} {}", answer.text().trim()),
        }
    }

    /// The keys of a prefix, sorted.
    pub async fn kv_keys(&self, prefix: &str) -> Result<Vec<String>> {
        let request = self.access.request(
            Method::GET,
            &format!("{}?keys", path(prefix)),
            Bytes::new(),
            self.access.token,
        );
        let answer = request.send_to(self.server.http()).await?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("{prefix}: {} {}", answer.status, answer.text()))
    }

    /// Deletes a key.
    pub async fn kv_delete(&self, key: &str) -> Result<()> {
        self.call(Method::DELETE, &path(key), "").await.map(drop)
    }

    /// Deletes all keys that begin with `prefix`.
    pub async fn kv_delete_prefix(&self, prefix: &str) -> Result<()> {
        self.call(Method::DELETE, &format!("{}?recurse", path(prefix)), "").await.map(drop)
    }

    /// Sends a transaction; one that was rolled back is an error.
    pub async fn txn(&self, operations: &Value) -> Result<Value> {
        self.call(Method::PUT, "/v1/txn", operations.to_string()).await?.json()
    }
}

fn path(key: &str) -> String {
    format!("/v1/kv/{}", escaped(key))
}
