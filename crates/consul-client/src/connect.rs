//! The service mesh: its roots, and the certificate that a service shows in it.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::answer::json;
use crate::catalog::Scope;
use crate::client::{Client, Request};
use crate::error::Error;
use crate::escape::component;
use crate::query::{Answer, Query};
use crate::secret::Secret;

/// The roots of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Roots {
    /// What all names in the mesh begin with. It is made with the cluster and stays while that lives.
    #[serde(default)]
    pub trust_domain: String,
    /// Every root that is still trusted.
    #[serde(default)]
    pub roots: Vec<Root>,
}

/// A root of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Root {
    /// Its certificate in PEM.
    #[serde(default)]
    pub root_cert: String,
    /// Whether new certificates chain to it.
    #[serde(default)]
    pub active: bool,
}

/// The certificate of a service, and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The certificate and those between it and a root, in PEM.
    pub certificate: String,
    /// Its key in PEM.
    pub key: Secret,
    /// The service's name in the mesh, as certificates have it.
    pub uri: String,
    /// From when it is good, as RFC 3339 writes it.
    pub valid_after: String,
    /// Until when.
    pub valid_before: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LeafBody {
    #[serde(rename = "CertPEM")]
    cert_pem: String,
    #[serde(rename = "PrivateKeyPEM")]
    private_key_pem: String,
    #[serde(rename = "ServiceURI", default)]
    service_uri: String,
    #[serde(default)]
    valid_after: String,
    #[serde(default)]
    valid_before: String,
}

/// All but the key.
impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("uri", &self.uri)
            .field("valid_before", &self.valid_before)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The roots of the mesh, as a server of the datacenter knows them. Anybody may ask. An error if there is no mesh.
    pub async fn connect_roots(&self, scope: &Scope, query: &Query) -> Result<Answer<Roots>, Error> {
        let raw = self.send(scope.apply(Request::get("connect/ca/roots", query))).await?;
        raw.success(self.address())?.map(|body| json(&body, self.address()))
    }

    /// The certificate of a service, which the agent keeps fresh; needs `service:write`.
    pub async fn connect_leaf(
        &self,
        service: &str,
        scope: &Scope,
        query: &Query,
    ) -> Result<Answer<Leaf>, Error> {
        let path = format!("agent/connect/ca/leaf/{}", component(service));
        let raw = self.send(scope.apply(Request::get(path, query))).await?;
        raw.success(self.address())?.map(|body| {
            let body: LeafBody = json(&body, self.address())?;
            Ok(Leaf {
                certificate: body.cert_pem,
                key: Secret::new(&Zeroizing::new(body.private_key_pem)),
                uri: body.service_uri,
                valid_after: body.valid_after,
                valid_before: body.valid_before,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_prints_without_its_key() {
        let leaf = Leaf {
            certificate: String::new(),
            key: Secret::new("hunter2"),
            uri: "spiffe://a".to_owned(),
            valid_after: String::new(),
            valid_before: String::new(),
        };
        let printed = format!("{leaf:?}");
        assert!(printed.contains("spiffe://a") && !printed.contains("hunter2"), "{printed}");
    }
}
