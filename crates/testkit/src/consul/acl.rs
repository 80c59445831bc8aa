//! Policies and tokens.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};

use super::Consul;

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its public name.
    pub accessor: String,
    /// What clients send.
    pub secret: String,
}

impl Consul {
    /// Makes a policy, or changes the one of that name.
    pub async fn acl_policy(&self, name: &str, rules: &str) -> Result<()> {
        let known = self.get("/v1/acl/policies").await?.json()?;
        let known = known.as_array().and_then(|all| all.iter().find(|policy| policy["Name"] == name));
        let path = match known.and_then(|policy| policy["ID"].as_str()) {
            Some(id) => format!("/v1/acl/policy/{id}"),
            None => "/v1/acl/policy".into(),
        };
        let policy = json!({ "Name": name, "Rules": rules });
        self.call(Method::PUT, &path, policy.to_string()).await.map(drop)
    }

    /// Makes a token with these policies.
    pub async fn acl_token(&self, policies: &[&str]) -> Result<Token> {
        self.token(&json!({ "Policies": links(policies) })).await
    }

    /// Makes a token that ends by itself; Consul takes no time below a minute.
    pub async fn acl_token_expiring(&self, policies: &[&str], ttl: &str) -> Result<Token> {
        self.token(&json!({ "Policies": links(policies), "ExpirationTTL": ttl })).await
    }

    /// Gives a token other policies.
    pub async fn acl_token_update(&self, token: &Token, policies: &[&str]) -> Result<()> {
        let path = format!("/v1/acl/token/{}", token.accessor);
        let change = json!({ "AccessorID": token.accessor, "Policies": links(policies) });
        self.call(Method::PUT, &path, change.to_string()).await.map(drop)
    }

    /// Ends a token.
    pub async fn acl_token_delete(&self, token: &Token) -> Result<()> {
        self.call(Method::DELETE, &format!("/v1/acl/token/{}", token.accessor), "").await.map(drop)
    }

    async fn token(&self, token: &Value) -> Result<Token> {
        let made = self.call(Method::PUT, "/v1/acl/token", token.to_string()).await?.json()?;
        let field = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        Ok(Token { accessor: field("AccessorID")?, secret: field("SecretID")? })
    }
}

fn links(policies: &[&str]) -> Vec<Value> {
    policies.iter().map(|name| json!({ "Name": name })).collect()
}
