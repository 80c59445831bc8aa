//! Which engine is mounted where, asked once and remembered until an answer makes no sense with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use biplane_source::SourceError;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::client::{Failure, Kind, Plain};
use crate::vault::Vault;

/// What is known of engines, by mount.
#[derive(Default)]
pub(crate) struct Mounts {
    known: Mutex<BTreeMap<String, Arc<OnceCell<KvVersion>>>>,
}

/// The versions of key-value engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KvVersion {
    One,
    Two,
}

#[derive(Deserialize)]
struct Mount {
    #[serde(rename = "type")]
    engine: String,
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
    #[serde(default)]
    path: Option<String>,
}

impl Mounts {
    /// The version of the engine at a mount. Those who ask at the same time share the question.
    pub(crate) async fn kv_version(&self, vault: &Vault, mount: &str) -> Result<KvVersion, Failure> {
        let cell = Arc::clone(self.lock().entry(mount.to_owned()).or_default());
        cell.get_or_try_init(|| ask(vault, mount)).await.copied()
    }

    /// Asks again: whether there is such an engine now, and of which version.
    pub(crate) async fn confirm(&self, vault: &Vault, mount: &str) -> Result<KvVersion, Failure> {
        self.lock().remove(mount);
        self.kv_version(vault, mount).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<OnceCell<KvVersion>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(vault: &Vault, mount: &str) -> Result<KvVersion, Failure> {
    let path = format!("sys/internal/ui/mounts/{mount}");
    let call = vault.client.call(format!("find out about the mount {mount}"), Plain::get(path));
    let call = call.map_err(|error| Failure { kind: Kind::Invalid, error })?;
    // Whoever may use anything below a mount may ask about it: the same answer is given where there is no mount.
    let answer = vault.ask(&call).await.map_err(|failure| no_mount(failure, mount))?;
    let found = answer.envelope::<Mount>().and_then(|envelope| envelope.data);
    let found = found.ok_or_else(|| Failure::malformed(&call, &vault.client.address()))?;
    let is_below = found.path.as_deref().is_some_and(|path| path.trim_matches('/') != mount);
    version(&found).filter(|_| !is_below).ok_or_else(|| not_kv(mount, &found))
}

fn version(mount: &Mount) -> Option<KvVersion> {
    let version = mount.options.as_ref().and_then(|options| options.get("version"));
    match (&*mount.engine, version.map(String::as_str)) {
        ("kv", Some("2")) => Some(KvVersion::Two),
        ("kv" | "generic", _) => Some(KvVersion::One),
        _ => None,
    }
}

fn no_mount(failure: Failure, mount: &str) -> Failure {
    if failure.kind != Kind::Forbidden {
        return failure;
    }
    let error = failure.error.hint(format!(
        "whether an engine is mounted at {mount:?}, and whether the token's policy allows anything below {mount}/"
    ));
    Failure { error, ..failure }
}

fn not_kv(mount: &str, found: &Mount) -> Failure {
    let engine = &found.engine;
    let place = found.path.as_deref().unwrap_or(mount).trim_matches('/');
    let message =
        format!("there is no key-value engine at {mount:?}: at {place:?} there is one of type {engine:?}");
    let error =
        SourceError::invalid(message).hint("mount: is where the engine is, path: is what is below it");
    Failure { kind: Kind::Invalid, error }
}
