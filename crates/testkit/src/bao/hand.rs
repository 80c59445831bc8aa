//! Who writes and reads, and where: an address, a token, a namespace.
//!
//! Paths are as OpenBao's documentation has them, without `/v1/`: `sys/mounts/kv`, `secret/data/web`.

use std::net::SocketAddr;

use anyhow::{Context, Error, Result, anyhow};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use super::kv::Kv;
use super::pki::Pki;
use crate::certificates::Identity;
use crate::http::{ClientTls, Request, Response, escaped};

/// Somebody who talks to an OpenBao. It is cheap to clone and good for as long as the server keeps its port.
#[derive(Debug, Clone)]
pub struct Hand {
    address: SocketAddr,
    tls: Option<ClientTls>,
    token: Option<String>,
    namespace: Option<String>,
}

impl Hand {
    pub(super) fn new(address: SocketAddr, tls: Option<ClientTls>) -> Self {
        Self { address, tls, token: None, namespace: None }
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same with a client certificate, for the login by certificate.
    #[must_use]
    pub fn with_certificate(&self, identity: &Identity) -> Self {
        let tls = self.tls.clone().map(|tls| ClientTls { identity: Some(identity.clone()), ..tls });
        Self { tls, ..self.clone() }
    }

    /// The same in a namespace, named from the root: `team` or `team/web`.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self.clone() }
    }

    /// The same at another address: another node's, or a proxy's.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The KV engine of version 1 at `mount`.
    pub fn kv1(&self, mount: &str) -> Kv {
        Kv::new(self.clone(), mount, 1)
    }

    /// The KV engine of version 2 at `mount`.
    pub fn kv2(&self, mount: &str) -> Kv {
        Kv::new(self.clone(), mount, 2)
    }

    /// The PKI engine at `mount`.
    pub fn pki(&self, mount: &str) -> Pki {
        Pki::new(self.clone(), mount)
    }

    /// Mounts a secrets engine; `settings` are those of `sys/mounts`, without the type.
    pub async fn mount(&self, mount: &str, engine: &str, settings: &Value) -> Result<()> {
        self.write(&format!("sys/mounts/{mount}"), &with_type(settings, engine)).await.map(drop)
    }

    /// Mounts a KV engine, and waits until it takes writes: version 2 is getting ready for a moment.
    pub async fn mount_kv(&self, mount: &str, version: u8) -> Result<()> {
        self.mount(mount, "kv", &json!({ "options": { "version": version.to_string() } })).await?;
        if version == 2 {
            crate::eventually("the KV engine", super::PATIENCE, async || self.kv2(mount).settings().await)
                .await;
        }
        Ok(())
    }

    /// Takes a secrets engine away, with everything in it.
    pub async fn unmount(&self, mount: &str) -> Result<()> {
        self.delete(&format!("sys/mounts/{mount}")).await
    }

    /// Makes a namespace in this one.
    pub async fn create_namespace(&self, name: &str) -> Result<()> {
        self.write(&format!("sys/namespaces/{name}"), &json!({})).await.map(drop)
    }

    /// Takes a namespace away, with everything in it.
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        self.delete(&format!("sys/namespaces/{name}")).await
    }

    /// The `data` at a path; `None` where there is none.
    pub async fn read(&self, path: &str) -> Result<Option<Value>> {
        self.ask(Method::GET, path).await
    }

    /// Writes to a path and returns the `data` of the answer, if there is one.
    pub async fn write(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.call(Method::POST, path, body).await?["data"].take())
    }

    /// Deletes what is at a path.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.call(Method::DELETE, path, &Value::Null).await.map(drop)
    }

    /// The names below a path; none where there is nothing.
    pub async fn list(&self, path: &str) -> Result<Vec<String>> {
        let list = Method::from_bytes(b"LIST").expect("a valid method");
        let answer = self.ask(list, path).await?.unwrap_or_default();
        let Some(keys) = answer["keys"].as_array() else { return Ok(Vec::new()) };
        keys.iter().map(|key| key.as_str().map(str::to_owned).context("a name that is no text")).collect()
    }

    /// A call whose status must be a success, and the whole answer.
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(method.clone(), path, body).await?;
        match answer.status {
            200 => answer.json(),
            204 => Ok(Value::Null),
            _ => Err(refusal(&method, path, &answer)),
        }
    }

    /// A call whose status is the answer.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Response> {
        let mut request = Request::new(method, "localhost", &format!("/v1/{}", escaped(path)));
        request.tls.clone_from(&self.tls);
        if !body.is_null() {
            request.body = Bytes::from(body.to_string());
        }
        if let Some(token) = &self.token {
            request = request.header("x-vault-token", token);
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        request.send_to(self.address).await
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Option<Value>> {
        let answer = self.send(method.clone(), path, &Value::Null).await?;
        match answer.status {
            200 => Ok(Some(answer.json()?["data"].take())),
            404 if answer.json()?["errors"] == json!([]) => Ok(None),
            // Deleted versions of KV version 2 are told with 404 and metadata.
            404 if !answer.json()?["data"].is_null() => Ok(None),
            _ => Err(refusal(&method, path, &answer)),
        }
    }
}

/// The settings of a mount with its type.
pub(super) fn with_type(settings: &Value, kind: &str) -> Value {
    let mut settings = if settings.is_null() { json!({}) } else { settings.clone() };
    settings["type"] = json!(kind);
    settings
}

fn refusal(method: &Method, path: &str, answer: &Response) -> Error {
    anyhow!("{method} {path}: {} {}", answer.status, answer.text().trim())
}
