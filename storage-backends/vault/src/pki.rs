//! Certificates that a PKI engine issues: with a key that is made here, renewed long before they end.
//!
//! ```text
//!  roots (a task an engine) ── all issuers' certificates ──▶ bundle (a watch channel) ──┐
//!                                                                                       ▼
//!  renewer (a watch): key, request ── bucket ── sign ──▶ pair ── fit? known long enough? ──▶ told
//! ```
//!
//! Invariants: a pair is told only if it parses, its key fits, it is valid now and chains to the bundle that goes with it. A
//! certificate is not told before its root has been in the bundle of everybody who watches the engine for a moment.

mod issue;
mod key;
mod pair;
mod pem;
mod renewer;
mod roots;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use biplane_core::resources::secret::{KeyPlace, KeyType, VaultPki};
use biplane_source::{Secret, SourceError};

use crate::client::Failure;
use crate::counters::count;
use crate::vault::Vault;
pub(crate) use renewer::follow;
use roots::Roots;

/// The fields of a certificate that was issued.
const CERT_CHAIN: &str = "certChain";
const PRIVATE_KEY: &str = "privateKey";
const ROOT_CA: &str = "rootCa";

/// The engine of references that name none.
const MOUNT: &str = "pki";

/// A certificate that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    mount: String,
    role: String,
    common_name: String,
    names: Vec<String>,
    addresses: Vec<String>,
    uris: Vec<String>,
    ttl: Option<Duration>,
    issuer: Option<String>,
    /// The kind of key that is made here; none: Vault makes it.
    key: Option<KeyType>,
}

impl Wanted {
    /// What a reference asks for.
    pub(crate) fn of(pki: &VaultPki) -> Result<Self, SourceError> {
        let key = match (pki.key.unwrap_or_default(), pki.key_type) {
            (KeyPlace::Local, key_type) => Some(key_type.unwrap_or_default()),
            (KeyPlace::Vault, None) => None,
            (KeyPlace::Vault, Some(_)) => {
                return Err(SourceError::invalid(
                    "keyType is about keys that are made here, and the key is Vault's",
                )
                .hint("the role's key_type, or key: local"));
            }
        };
        let mount = pki.mount.as_deref().unwrap_or(MOUNT).trim_matches('/').to_owned();
        let others = [&pki.alt_names, &pki.ip_sans, &pki.uri_sans];
        let is_unnamed = pki.common_name.is_empty() && others.iter().all(|names| names.is_empty());
        if mount.is_empty() || pki.role.is_empty() || pki.role.contains('/') || is_unnamed {
            return Err(SourceError::invalid(
                "a certificate needs a mount, a role without slashes, and a name",
            )
            .hint("pki: { role: edge, commonName: api.example.com }"));
        }
        Ok(Self {
            mount,
            role: pki.role.clone(),
            common_name: pki.common_name.clone(),
            names: pki.alt_names.clone(),
            addresses: pki.ip_sans.clone(),
            uris: pki.uri_sans.clone(),
            ttl: pki.ttl.as_ref().map(|ttl| ttl.0),
            issuer: pki.issuer.clone(),
            key,
        })
    }

    /// For messages: `a certificate for api.example.com by pki/edge`.
    fn shown(&self) -> String {
        format!("a certificate for {} by {}/{}", self.name(), self.mount, self.role)
    }

    /// The common name; a role with `require_cn=false` needs none where there are others.
    fn common_name(&self) -> Option<&str> {
        Some(self.common_name.as_str()).filter(|name| !name.is_empty())
    }

    /// The name by which people know it.
    fn name(&self) -> &str {
        let others = [&self.names, &self.addresses, &self.uris].into_iter().flatten().map(String::as_str);
        self.common_name().into_iter().chain(others).next().unwrap_or_default()
    }
}

/// The roots of engines that somebody watches.
#[derive(Default)]
pub(crate) struct Engines {
    roots: Mutex<BTreeMap<String, Weak<Roots>>>,
}

impl Engines {
    /// The roots of an engine, read by one task for everybody until nobody wants them.
    fn roots(&self, vault: &Arc<Vault>, mount: &str) -> Arc<Roots> {
        let mut all = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = all.get(mount).and_then(Weak::upgrade) {
            return roots;
        }
        let roots = Arc::new(Roots::start(vault, mount));
        all.retain(|_, roots| roots.strong_count() > 0);
        all.insert(mount.to_owned(), Arc::downgrade(&roots));
        roots
    }
}

/// A certificate that is issued now, with the roots as they are now.
pub(crate) async fn read(vault: &Vault, wanted: &Wanted) -> Result<Secret, Failure> {
    let bundle = roots::read(vault, &wanted.mount, &mut false).await?;
    let pair = issue::issue(vault, wanted).await?;
    pair.chains_to(bundle.certificates()).map_err(|why| {
        count(&vault.client.tally().issue_failures);
        issue::unfit(wanted, &why)
    })?;
    count(&vault.client.tally().issued);
    Ok(pair.secret(&bundle.pem))
}
