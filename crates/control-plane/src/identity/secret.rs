//! The server's certificates out of a source of secrets, such as Vault's PKI: taken as they come.
//!
//! Invariant: what a source cannot tell, and what does not work, takes nothing away. What works is on disk for the next
//! run, which shows it until the source answers.

use std::sync::Arc;

use biplane_source::{Listing, Secret, SecretOptions, SecretSource, SourceError};
use biplane_tls::{Part, Pem, ServerTls};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::certificate::KeptCertificate;
use super::{TlsSecret, Troubles};
use crate::secrets::question;

const WHAT: &str = "the certificate of the xDS server";

/// What a certificate that cannot be had means for nodes.
const MEANWHILE: &str = "the last one is shown until it ends; without one nobody gets a connection";

/// Where the certificate comes from, and where it goes.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub(super) tls: &'a ServerTls,
    pub(super) secret: &'a TlsSecret,
    pub(super) kept: &'a KeptCertificate,
    pub(super) troubles: &'a Troubles,
}

impl Certificate<'_> {
    /// Follows the secret until shutdown.
    pub(super) async fn follow(&self, sources: &[Arc<dyn SecretSource>], shutdown: &CancellationToken) {
        let TlsSecret { source: name, request, .. } = self.secret;
        let Some(source) = sources.iter().find(|source| source.name() == *name) else {
            let error = SourceError::invalid(format!("there is no source of secrets {name:?}"))
                .hint("the setting `secrets` says where secrets are; xdsTlsSecret names one of them");
            self.cannot(&error);
            return shutdown.cancelled().await;
        };
        let mut seen = self.recall().await;
        let options = SecretOptions { known: seen.as_deref().cloned(), ..SecretOptions::default() };
        let mut listings = source.watch(request, options);
        loop {
            let listing = tokio::select! {
                () = shutdown.cancelled() => return,
                listing = listings.next() => listing,
            };
            match listing {
                Some(Listing::Complete(Some(found))) => self.hear(&mut seen, found).await,
                Some(Listing::Complete(None)) => {
                    self.cannot(&SourceError::new(format!("{name} has no such secret")));
                }
                Some(Listing::Failed(error)) => self.cannot(&error),
                None => return shutdown.cancelled().await,
            }
        }
    }

    /// What the last run showed, which is shown again.
    async fn recall(&self) -> Option<Arc<Secret>> {
        let known = self.kept.find(&self.question()).await?;
        if let Err(error) = self.show(&known) {
            warn!(%error, "{WHAT} of the last run is not used");
            return None;
        }
        info!(source = self.secret.source, "{WHAT} is that of the last run until its source answers");
        Some(known)
    }

    async fn hear(&self, seen: &mut Option<Arc<Secret>>, found: Secret) {
        // Reading the same again is no news.
        if !seen.as_ref().is_some_and(|seen| seen.same_values(&found)) {
            if let Err(error) = self.show(&found) {
                return self.cannot(&error);
            }
            let found = Arc::new(found);
            self.kept.keep(&self.question(), found.clone()).await;
            *seen = Some(found);
        }
        self.troubles.clear(WHAT);
    }

    fn show(&self, found: &Secret) -> Result<(), SourceError> {
        let pem = pem(self.secret, found).map_err(|missing| {
            SourceError::invalid(format!("the secret of {} lacks {missing}", self.secret.source))
        })?;
        self.tls.replace(&pem).map_err(|error| SourceError::invalid(error.to_string()))
    }

    fn cannot(&self, error: &SourceError) {
        warn!(source = self.secret.source, %error, "{WHAT} cannot be read; {MEANWHILE}");
        self.troubles.tell(WHAT, error, MEANWHILE);
    }

    fn question(&self) -> String {
        question(&self.secret.source, &self.secret.request)
    }
}

fn pem(secret: &TlsSecret, found: &Secret) -> Result<Pem, &'static str> {
    let field = |name: &'static str| -> Result<Part, &'static str> {
        let value = found.fields.get(name).ok_or(name)?;
        Ok((format!("{name} of a secret of {}", secret.source), value.to_vec()))
    };
    let client_ca = secret.clients.then(|| field("rootCa")).transpose()?;
    Ok(Pem { cert: field("certChain")?, key: field("privateKey")?, client_ca })
}
