//! What an operator says about who may connect.

use std::path::PathBuf;

use biplane_identity::Identity;
use biplane_source::SecretRequest;
use biplane_tls::TlsFiles;
use biplane_xds::Limits;

/// Who may connect to the xDS server. The default is loopback, where nodes are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAccess {
    /// TLS; none: in the clear.
    pub tls: Option<NodeTls>,
    /// Which node belongs to which fleet.
    pub rules: Rules,
    /// Where there are no rules: whether nodes beyond loopback are believed what they say about themselves.
    pub trust_node_metadata: bool,
    /// Whether addresses beyond loopback may be served without TLS.
    pub plaintext: bool,
    /// How much nodes may have of the server.
    pub limits: Limits,
}

/// Where the server's certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeTls {
    /// Files; read again when they change.
    Files(TlsFiles),
    /// A secret of a source of secrets; followed.
    Secret(TlsSecret),
}

/// A secret with a server's certificate, its key, and the authority of its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSecret {
    /// The name of the source.
    pub source: String,
    /// What is asked of it.
    pub request: SecretRequest,
    /// Whether clients are asked for certificates of the authority that comes with it (`rootCa`).
    pub clients: bool,
}

/// The rules, or where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// There are none.
    #[default]
    None,
    /// These, for as long as the process runs.
    Inline(Identity),
    /// Those of a YAML file; read again when it changes.
    File(PathBuf),
}

impl NodeTls {
    pub(super) fn asks_clients(&self) -> bool {
        match self {
            Self::Files(files) => files.client_ca.is_some(),
            Self::Secret(secret) => secret.clients,
        }
    }
}
