//! The source: what is asked goes to the engine that has it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use biplane_source::{
    Listing, Phase, Secret, SecretOptions, SecretRequest, SecretSource, SourceError, SourceState, Watch,
};
use futures::{StreamExt as _, stream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::aws;
use crate::counters::Counters;
use crate::kv::{self, Place, Reading};
use crate::options::VaultOptions;
use crate::pki;
use crate::vault::Vault;

/// Secrets from one Vault or OpenBao. Clones share its session, which ends with the last of them and of the watches.
#[derive(Clone)]
pub struct VaultSecrets {
    vault: Arc<Vault>,
}

/// A request to an engine.
enum Asked {
    Kv(Place),
    Pki(pki::Wanted),
    Aws(aws::Wanted),
}

impl VaultSecrets {
    /// A source that logs in by itself from now on and for as long as it lives. Only files are looked at here. Needs
    /// a Tokio runtime.
    pub fn connect(options: VaultOptions) -> Result<Self, SourceError> {
        Ok(Self { vault: Arc::new(Vault::connect(options)?) })
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.vault.client.tally().read()
    }

    fn asked(&self, request: &SecretRequest) -> Result<Asked, SourceError> {
        let options = &self.vault.options;
        match request {
            SecretRequest::Kv(kv) => Place::of(kv, options).map(Asked::Kv),
            SecretRequest::Object(name) => Place::of_object(name, options).map(Asked::Kv),
            SecretRequest::Pki(pki) => pki::Wanted::of(pki).map(Asked::Pki),
            SecretRequest::Aws(aws) => aws::Wanted::of(aws).map(Asked::Aws),
            SecretRequest::Path(path) => {
                let message = format!("the source {} is a Vault, and has no file {path:?}", options.name);
                Err(SourceError::invalid(message)
                    .hint("vault: in place of file:, or source: with one that has files"))
            }
        }
    }

    async fn read_now(&self, asked: Asked) -> Result<Option<Secret>, SourceError> {
        match asked {
            Asked::Kv(place) => match kv::read(&self.vault, &place).await? {
                Reading::Values(stored) => Ok(Some(stored.secret)),
                Reading::Gone(_) | Reading::Absent => Ok(None),
            },
            Asked::Aws(wanted) => Ok(Some(aws::read(&self.vault, &wanted).await?)),
            Asked::Pki(wanted) => Ok(Some(pki::read(&self.vault, &wanted).await?)),
        }
    }

    /// Nobody has answered a question that may be several. Where nobody can be answered, the reason is known.
    fn too_slow(&self) -> SourceError {
        let (address, limit) = (self.vault.client.address(), self.vault.client.timeout());
        let state = self.vault.report.subscribe().borrow().clone();
        let standing = state.last_error.filter(|_| state.phase == Phase::Failed);
        standing.unwrap_or_else(|| SourceError::new(format!("no answer from {address} within {limit:?}")))
    }
}

#[async_trait]
impl SecretSource for VaultSecrets {
    fn name(&self) -> String {
        self.vault.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        "vault"
    }

    fn required(&self) -> bool {
        self.vault.options.required
    }

    fn has_objects(&self) -> bool {
        self.vault.options.gloo_root.is_some()
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.vault.report.subscribe()
    }

    async fn read(&self, request: &SecretRequest) -> Result<Option<Secret>, SourceError> {
        let asked = self.asked(request)?;
        let answer = timeout(self.vault.client.timeout(), self.read_now(asked)).await;
        answer.unwrap_or_else(|_| Err(self.too_slow()))
    }

    fn watch(&self, request: &SecretRequest, options: SecretOptions) -> Watch<Option<Secret>> {
        let vault = Arc::clone(&self.vault);
        match self.asked(request) {
            Ok(Asked::Kv(place)) => kv::follow(vault, place, &options),
            Ok(Asked::Aws(wanted)) => aws::follow(vault, wanted, options),
            Ok(Asked::Pki(wanted)) => pki::follow(vault, wanted, options),
            Err(error) => refused(error),
        }
    }

    fn refresh(&self) {
        self.vault.pulse.send_modify(|pulse| *pulse = pulse.wrapping_add(1));
    }
}

/// No time mends what a request asks for: it is told once.
fn refused(error: SourceError) -> Watch<Option<Secret>> {
    stream::once(async { Listing::Failed(error) }).chain(stream::pending()).boxed()
}

/// What it is, and nothing that it knows.
impl fmt::Debug for VaultSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultSecrets")
            .field("name", &self.vault.options.name)
            .field("address", &self.vault.options.address)
            .finish_non_exhaustive()
    }
}
