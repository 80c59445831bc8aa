//! The server's certificates out of a source of secrets, such as Vault's PKI: taken as they come.

use std::sync::Arc;

use biplane_source::{Listing, Secret, SecretOptions, SecretSource, SourceError};
use biplane_tls::{Part, Pem, ServerTls};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{TlsSecret, Troubles};

const WHAT: &str = "the certificate of the xDS server";

/// Follows a secret until shutdown. What a source cannot tell takes nothing away.
pub(super) async fn follow(
    tls: &ServerTls,
    secret: &TlsSecret,
    sources: &[Arc<dyn SecretSource>],
    troubles: &Troubles,
    shutdown: &CancellationToken,
) {
    let source = sources.iter().find(|source| source.name() == secret.source);
    let Some(source) = source else {
        let error = SourceError::invalid(format!("there is no source of secrets {:?}", secret.source))
            .hint("the setting `secrets` says where secrets are; xdsTlsSecret names one of them");
        warn!(%error, "nodes get no connection");
        troubles.tell(WHAT, &error, "nodes get no connection");
        return shutdown.cancelled().await;
    };
    let mut seen: Option<Secret> = None;
    let mut listings = source.watch(&secret.request, SecretOptions::default());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            listing = listings.next() => match listing {
                Some(Listing::Complete(Some(found))) => {
                    troubles.clear(WHAT);
                    // Reading the same again is no news.
                    if !seen.as_ref().is_some_and(|seen| seen.same_values(&found)) {
                        take(tls, secret, &found);
                    }
                    seen = Some(found);
                }
                Some(Listing::Complete(None)) => {
                    warn!(source = secret.source, "the secret with the xDS server's certificate is not there");
                }
                Some(Listing::Failed(error)) => {
                    troubles.tell(WHAT, &error, "the last one is shown until it ends; without one nobody gets a connection");
                    warn!(source = secret.source, %error, "the xDS server's certificate cannot be read now; the last one stays");
                }
                None => return shutdown.cancelled().await,
            },
        }
    }
}

fn take(tls: &ServerTls, secret: &TlsSecret, found: &Secret) {
    match pem(secret, found) {
        Ok(pem) => tls.replace(&pem),
        Err(missing) => {
            warn!(
                source = secret.source,
                missing, "the secret with the xDS server's certificate lacks a field"
            );
        }
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
