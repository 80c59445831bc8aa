//! Who may connect: the xDS server's TLS, the rules that make fleets of what nodes prove, the keys of those who
//! sign tokens.
//!
//! ```text
//! files, Vault ─▶ ServerTls ─▶ handshake ─ certificate ─┐
//! issuers ─ keys ─▶ Issuers ────────────────────────────┼─▶ Gate: rules ─▶ a fleet, or a line in the audit log
//! settings, a file ─▶ Rulebook ─────────────────────────┘     (again when one of them changes, and when a proof ends)
//! ```
//!
//! Invariant: what is told about certificates, keys or rules takes effect on streams that are open as well, and what
//! cannot be read takes nothing away, but for keys of an earlier run that are a week old.

mod certificate;
mod gate;
mod issuers;
mod kept;
mod rulebook;
mod secret;
mod settings;
mod troubles;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use biplane_identity::IssuerConfig;
use biplane_source::{KeySource, SecretSource, SourceError};
use biplane_tls::{Clients, ServerTls};
use biplane_xds::{Handshakes, Limits, ServerOptions};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::snapshot::SnapshotDirectory;
use certificate::KeptCertificate;
use gate::Gate;
use issuers::Issuers;
use rulebook::Rulebook;
pub use settings::{NodeAccess, NodeTls, Rules, TlsSecret};
pub(crate) use troubles::Troubles;

/// Opens the place where an issuer publishes its keys.
#[derive(Clone)]
pub struct OpenKeys(pub Arc<OpenKeysFn>);

type OpenKeysFn = dyn Fn(&IssuerConfig) -> Result<Arc<dyn KeySource>, SourceError> + Send + Sync;

/// Everything about who may connect.
#[derive(Debug)]
pub(crate) struct Door {
    gate: Arc<Gate>,
    rulebook: Arc<Rulebook>,
    tls: Option<ServerTls>,
    secret: Option<TlsSecret>,
    kept: KeptCertificate,
    limits: Limits,
    troubles: Troubles,
}

impl Door {
    /// Reads what the settings name, all of which must work, and refuses an address that would be open to anybody.
    pub(crate) fn open(access: &NodeAccess, address: SocketAddr) -> anyhow::Result<Self> {
        let rulebook = Arc::new(Rulebook::open(&access.rules).context("identity")?);
        check(access, &rulebook, address)?;
        let clients =
            if rulebook.may_admit_without_certificate() { Clients::MayShow } else { Clients::MustShow };
        let (tls, secret) = match &access.tls {
            None => (None, None),
            Some(NodeTls::Files(files)) => {
                let tls = ServerTls::open("xds", files.clone(), clients, &["h2"])
                    .context("TLS of the xDS server")?;
                (Some(tls), None)
            }
            Some(NodeTls::Secret(secret)) => {
                (Some(ServerTls::awaited("xds", clients, &["h2"])), Some(secret.clone()))
            }
        };
        let troubles = Troubles::default();
        let issuers = Issuers::telling(troubles.clone());
        let gate = Gate::new(rulebook.clone(), issuers, tls.clone(), access.trust_node_metadata);
        let (gate, kept, limits) = (Arc::new(gate), KeptCertificate::default(), access.limits.clone());
        Ok(Self { gate, rulebook, tls, secret, kept, limits, troubles })
    }

    /// The options of a server behind this door.
    pub(crate) fn options(&self, options: ServerOptions) -> ServerOptions {
        let handshakes = self.tls.clone().map(|tls| Handshakes(Arc::new(move || tls.current())));
        // Whether it is fit for it was checked when it was opened.
        ServerOptions {
            doorkeeper: self.gate.clone(),
            tls: handshakes,
            beyond_loopback: true,
            limits: self.limits.clone(),
            ..options
        }
    }

    /// Has the keys of issuers survive a restart there.
    pub(crate) fn keep_keys_in(&self, directory: &Path) {
        self.gate.issuers().keep_in(directory);
    }

    /// Has a certificate that comes from a source of secrets survive a restart there.
    pub(crate) fn keep_certificate_in(&self, directory: Arc<SnapshotDirectory>) {
        self.kept.keep_in(directory);
    }

    /// What cannot be had of all that it follows.
    pub(crate) fn troubles(&self) -> Troubles {
        self.troubles.clone()
    }

    /// Follows files, keys and secrets until shutdown.
    pub(crate) async fn run(
        self,
        open_keys: Option<OpenKeys>,
        secrets: Vec<Arc<dyn SecretSource>>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let tls = async {
            match (&self.tls, &self.secret) {
                (Some(tls), Some(secret)) => {
                    let certificate =
                        secret::Certificate { tls, secret, kept: &self.kept, troubles: &self.troubles };
                    certificate.follow(&secrets, &shutdown).await;
                }
                (Some(tls), None) => tls.clone().watch(shutdown.clone()).await,
                (None, _) => shutdown.cancelled().await,
            }
        };
        let keys = self.gate.issuers().run(self.rulebook.watch(), open_keys, shutdown.clone());
        tokio::join!(tls, self.rulebook.follow(&shutdown), self.gate.follow(&shutdown), keys);
        Ok(())
    }
}

impl fmt::Debug for OpenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenKeys")
    }
}

/// Refuses what would be open to anybody, or shut to everybody.
fn check(access: &NodeAccess, rulebook: &Rulebook, address: SocketAddr) -> anyhow::Result<()> {
    let asks_for_certificates = access.tls.as_ref().is_some_and(NodeTls::asks_clients);
    ensure!(
        asks_for_certificates || !rulebook.use_certificates(),
        "identity: a rule is for certificates, and nobody is asked for one\nhint: set xdsTlsClientCa, the authority of \
         the nodes' certificates"
    );
    ensure!(
        !(access.trust_node_metadata && rulebook.is_set()),
        "xdsTrustNodeMetadata and identity exclude each other\nhint: let a rule say nodeMetadata: trust"
    );
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    ensure!(
        access.tls.is_some() || access.plaintext,
        "the xDS address {address} is not on loopback, and without TLS everybody on the way reads the configuration, \
         keys included\nhint: set xdsTlsCert and xdsTlsKey (`biplane pki init` makes them); where the network itself \
         encrypts, xdsPlaintext: on"
    );
    ensure!(
        rulebook.is_set() || access.trust_node_metadata,
        "the xDS address {address} is not on loopback, and nothing says which node belongs to which fleet\nhint: \
         set identity (docs/identity.md); where every node may have every fleet's configuration, \
         xdsTrustNodeMetadata: on"
    );
    if access.tls.is_none() {
        warn!(%address, "xDS is served in the clear beyond loopback, as xdsPlaintext says");
    }
    if access.trust_node_metadata {
        warn!(%address, "nodes beyond loopback are believed what they say, as xdsTrustNodeMetadata says");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
