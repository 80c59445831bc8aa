//! One PKI engine, seen through a hand: authorities, roles, certificates.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::hand::Hand;
use crate::certificates::Identity;

/// Longer than any certificate of a test.
const TEN_YEARS: &str = "87600h";

/// A PKI engine.
#[derive(Debug, Clone)]
pub struct Pki {
    hand: Hand,
    mount: String,
}

/// A certificate that was issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate and its key.
    pub identity: Identity,
    /// The authorities above it, from the one that signed it.
    pub chain: Vec<String>,
    /// Its serial number, as OpenBao writes it.
    pub serial: String,
}

impl Pki {
    pub(super) fn new(hand: Hand, mount: &str) -> Self {
        Self { hand, mount: mount.to_owned() }
    }

    /// Mounts it.
    pub async fn mount(&self) -> Result<()> {
        let settings = json!({ "config": { "max_lease_ttl": TEN_YEARS } });
        self.hand.mount(&self.mount, "pki", &settings).await
    }

    /// Makes a root authority, which signs from now on, and returns its certificate. Done again it is a rotation: the
    /// earlier issuers stay, and what they have signed stays good.
    pub async fn root(&self, common_name: &str) -> Result<String> {
        let wanted = json!({ "common_name": common_name, "ttl": TEN_YEARS, "key_type": "ec" });
        let made = self.write("root/generate/internal", &wanted).await?;
        self.sign_with(&text(&made["issuer_id"])?).await?;
        text(&made["certificate"])
    }

    /// Makes an intermediate authority that `root` has signed, which signs from now on, and returns its certificate.
    /// Done again it is a rotation.
    pub async fn intermediate(&self, root: &Self, common_name: &str) -> Result<String> {
        let wanted = json!({ "common_name": common_name, "key_type": "ec" });
        let request = self.write("intermediate/generate/internal", &wanted).await?;
        let signing = json!({ "csr": request["csr"], "common_name": common_name, "ttl": TEN_YEARS });
        let signed = root.write("root/sign-intermediate", &signing).await?;
        let certificate = text(&signed["certificate"])?;
        let both = format!("{certificate}\n{}", text(&signed["issuing_ca"])?);
        let imported = self.write("intermediate/set-signed", &json!({ "certificate": both })).await?;
        self.sign_with(&issuer_with_key(&imported)?).await?;
        Ok(certificate)
    }

    /// The certificate of the authority that signs now.
    pub async fn authority(&self) -> Result<String> {
        text(&self.read("issuer/default").await?["certificate"])
    }

    /// The ids of all issuers.
    pub async fn issuers(&self) -> Result<Vec<String>> {
        self.hand.list(&self.path("issuers")).await
    }

    /// The id of the issuer that signs now.
    pub async fn issuer(&self) -> Result<String> {
        text(&self.read("config/issuers").await?["default"])
    }

    /// Lets this issuer sign from now on.
    pub async fn sign_with(&self, issuer: &str) -> Result<()> {
        self.write("config/issuers", &json!({ "default": issuer })).await.map(drop)
    }

    /// Makes a role that issues certificates for any name; `settings` go before that.
    pub async fn role(&self, name: &str, settings: &Value) -> Result<()> {
        let mut role = json!({
            "allow_any_name": true, "enforce_hostnames": false, "allow_ip_sans": true,
            "allowed_uri_sans": "*", "key_type": "ec", "max_ttl": TEN_YEARS,
        });
        for (key, value) in settings.as_object().into_iter().flatten() {
            role[key] = value.clone();
        }
        self.write(&format!("roles/{name}"), &role).await.map(drop)
    }

    /// Issues a certificate and its key; `wanted` is what `issue` takes: `common_name`, `ttl`, `alt_names`.
    pub async fn issue(&self, role: &str, wanted: &Value) -> Result<Issued> {
        let made = self.write(&format!("issue/{role}"), wanted).await?;
        let chain = made["ca_chain"].as_array().context("no chain")?;
        Ok(Issued {
            identity: Identity { certificate: text(&made["certificate"])?, key: text(&made["private_key"])? },
            chain: chain.iter().map(text).collect::<Result<_>>()?,
            serial: text(&made["serial_number"])?,
        })
    }

    /// Revokes a certificate.
    pub async fn revoke(&self, serial: &str) -> Result<()> {
        self.write("revoke", &json!({ "serial_number": serial })).await.map(drop)
    }

    async fn write(&self, path: &str, body: &Value) -> Result<Value> {
        self.hand.write(&self.path(path), body).await
    }

    async fn read(&self, path: &str) -> Result<Value> {
        let path = self.path(path);
        self.hand.read(&path).await?.with_context(|| format!("there is nothing at {path}"))
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.mount)
    }
}

/// Of the issuers that were imported, the one whose key is here.
fn issuer_with_key(imported: &Value) -> Result<String> {
    let keys = imported["mapping"].as_object().context("no mapping of issuers")?;
    let own = keys.iter().find(|(_, key)| key.as_str().is_some_and(|key| !key.is_empty()));
    own.map(|(issuer, _)| issuer.clone()).context("no imported issuer has a key")
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("{value} where a text should be"))
}
