//! Policies and tokens.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::json;

use super::Nomad;

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// By which it is changed and removed.
    pub accessor: String,
    /// What it is shown by.
    pub secret: String,
}

impl Nomad {
    /// Makes or changes a policy.
    pub async fn acl_policy(&self, name: &str, rules: &str) -> Result<()> {
        let body = json!({ "Name": name, "Rules": rules }).to_string();
        self.call(Method::PUT, &format!("/v1/acl/policy/{name}"), body).await.map(drop)
    }

    /// Makes a policy for the workload identities of a job.
    pub async fn acl_policy_of_job(&self, name: &str, rules: &str, namespace: &str, job: &str) -> Result<()> {
        let scope = json!({ "Namespace": namespace, "JobID": job });
        let body = json!({ "Name": name, "Rules": rules, "JobACL": scope }).to_string();
        self.call(Method::PUT, &format!("/v1/acl/policy/{name}"), body).await.map(drop)
    }

    /// Makes a token with policies.
    pub async fn acl_token(&self, policies: &[&str]) -> Result<Token> {
        let body = json!({ "Name": "test", "Type": "client", "Policies": policies }).to_string();
        let made = self.call(Method::PUT, "/v1/acl/token", body).await?.json()?;
        let text = |name: &str| made[name].as_str().map(str::to_owned).context("a token has it");
        Ok(Token { accessor: text("AccessorID")?, secret: text("SecretID")? })
    }

    /// Removes a token.
    pub async fn acl_token_delete(&self, token: &Token) -> Result<()> {
        let path = format!("/v1/acl/token/{}", token.accessor);
        self.call(Method::DELETE, &path, "").await.map(drop)
    }
}
