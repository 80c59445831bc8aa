//! Rate limits, which OpenBao tells with 429.

use anyhow::Result;
use serde_json::json;

use super::hand::Hand;

impl Hand {
    /// Lets so many requests through an `interval` (`1s`), for a mount (`secret/`), or for all where it is empty. Making
    /// it again changes it.
    pub async fn rate_limit(&self, name: &str, mount: &str, requests: u32, interval: &str) -> Result<()> {
        let quota = json!({ "path": mount, "rate": requests, "interval": interval });
        self.write(&format!("sys/quotas/rate-limit/{name}"), &quota).await.map(drop)
    }

    /// Lifts a rate limit.
    pub async fn lift_rate_limit(&self, name: &str) -> Result<()> {
        self.delete(&format!("sys/quotas/rate-limit/{name}")).await
    }
}
