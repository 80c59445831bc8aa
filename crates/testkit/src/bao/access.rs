//! Policies and tokens.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};

use super::hand::Hand;

/// A token that was made, or that a login gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What clients send.
    pub secret: String,
    /// Its public name.
    pub accessor: String,
    /// Seconds until it ends, 0 for never.
    pub ttl: u64,
    /// Whether it can be renewed.
    pub renewable: bool,
}

impl Hand {
    /// Makes or changes a policy.
    pub async fn policy(&self, name: &str, rules: &str) -> Result<()> {
        self.write(&format!("sys/policies/acl/{name}"), &json!({ "policy": rules })).await.map(drop)
    }

    /// Makes a token with these policies, that ends after `ttl` unless it is renewed.
    pub async fn token(&self, policies: &[&str], ttl: &str) -> Result<Token> {
        self.token_with(&json!({ "policies": policies, "ttl": ttl })).await
    }

    /// Makes a token; `settings` are those of `auth/token/create`.
    pub async fn token_with(&self, settings: &Value) -> Result<Token> {
        Token::of(&self.call(Method::POST, "auth/token/create", settings).await?)
    }

    /// Ends a token, and everything that it was used to make.
    pub async fn revoke(&self, token: &str) -> Result<()> {
        self.write("auth/token/revoke", &json!({ "token": token })).await.map(drop)
    }

    /// Ends every token and lease that came from a path, such as all logins of `auth/approle`.
    pub async fn revoke_prefix(&self, prefix: &str) -> Result<()> {
        self.call(Method::PUT, &format!("sys/leases/revoke-prefix/{prefix}"), &json!({})).await.map(drop)
    }

    /// What is known of a token. An error if it has ended.
    pub async fn lookup(&self, token: &str) -> Result<Value> {
        self.write("auth/token/lookup", &json!({ "token": token })).await
    }

    /// The accessors of all tokens.
    pub async fn accessors(&self) -> Result<Vec<String>> {
        self.list("auth/token/accessors").await
    }
}

impl Token {
    pub(super) fn of(answer: &Value) -> Result<Self> {
        let auth = &answer["auth"];
        let text = |name: &str| auth[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        Ok(Self {
            secret: text("client_token")?,
            accessor: text("accessor")?,
            ttl: auth["lease_duration"].as_u64().context("no lease_duration")?,
            renewable: auth["renewable"] == true,
        })
    }
}
