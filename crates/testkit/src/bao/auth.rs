//! Ways to log in, each at a mount of its own.
//!
//! `settings` are those of the role in OpenBao's documentation: `token_policies`, `token_ttl`, `token_max_ttl` and so on.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};

use super::access::Token;
use super::hand::{Hand, with_type};
use super::jwt::JwtIssuer;

/// What a machine logs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRole {
    /// The name of the role, which is no secret.
    pub role_id: String,
    /// The secret.
    pub secret_id: String,
}

impl Hand {
    /// Mounts a way to log in: `approle`, `jwt`, `cert`, `userpass`.
    pub async fn enable_auth(&self, mount: &str, kind: &str) -> Result<()> {
        self.write(&format!("sys/auth/{mount}"), &with_type(&Value::Null, kind)).await.map(drop)
    }

    /// Makes or changes a role of AppRole, and gives it a new secret id.
    pub async fn approle(&self, mount: &str, role: &str, settings: &Value) -> Result<AppRole> {
        let path = role_path(mount, "role", role);
        self.write(&path, settings).await?;
        let id = self.read(&format!("{path}/role-id")).await?.unwrap_or_default();
        let role_id = id["role_id"].as_str().context("a role without an id")?.to_owned();
        Ok(AppRole { role_id, secret_id: self.secret_id(mount, role).await? })
    }

    /// Gives a role of AppRole one more secret id.
    pub async fn secret_id(&self, mount: &str, role: &str) -> Result<String> {
        let path = format!("{}/secret-id", role_path(mount, "role", role));
        let made = self.write(&path, &json!({})).await?;
        made["secret_id"].as_str().map(str::to_owned).context("no secret id")
    }

    /// Makes or changes a user of `userpass`.
    pub async fn user(&self, mount: &str, name: &str, password: &str, settings: &Value) -> Result<()> {
        let mut user = settings.clone();
        user["password"] = json!(password);
        self.write(&role_path(mount, "users", name), &user).await.map(drop)
    }

    /// Lets the `jwt` login trust an issuer.
    pub async fn trust_jwt(&self, mount: &str, issuer: &JwtIssuer) -> Result<()> {
        let config = json!({ "jwt_validation_pubkeys": [issuer.public_key()] });
        self.write(&format!("auth/{mount}/config"), &config).await.map(drop)
    }

    /// Makes or changes a role of the `jwt` login for tokens with this audience; the user is the subject.
    pub async fn jwt_role(&self, mount: &str, role: &str, audience: &str, settings: &Value) -> Result<()> {
        let mut wanted = settings.clone();
        wanted["role_type"] = json!("jwt");
        wanted["user_claim"] = json!("sub");
        wanted["bound_audiences"] = json!([audience]);
        self.write(&role_path(mount, "role", role), &wanted).await.map(drop)
    }

    /// Lets a client certificate, or those of an authority, log in by `cert`.
    pub async fn certificate_role(
        &self,
        mount: &str,
        role: &str,
        certificate: &str,
        settings: &Value,
    ) -> Result<()> {
        let mut wanted = settings.clone();
        wanted["certificate"] = json!(certificate);
        self.write(&role_path(mount, "certs", role), &wanted).await.map(drop)
    }

    /// Logs in: `login("approle", "login", ..)`, `login("userpass", "login/ann", ..)`.
    pub async fn login(&self, mount: &str, path: &str, body: &Value) -> Result<Token> {
        Token::of(&self.call(Method::POST, &format!("auth/{mount}/{path}"), body).await?)
    }
}

fn role_path(mount: &str, kind: &str, name: &str) -> String {
    format!("auth/{mount}/{kind}/{name}")
}
