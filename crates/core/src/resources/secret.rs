//! Secrets: key material that listeners and upstreams refer to.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::SecretString;

/// A secret. So far one form: a certificate.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Secret {
    /// A certificate with its key, a trusted root, or both.
    pub tls: Option<TlsSecret>,
}

/// A certificate chain with its private key, and a root to verify peers by. All in PEM.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TlsSecret {
    /// The certificate chain, the leaf first.
    pub cert_chain: Option<String>,
    /// The private key of the leaf.
    pub private_key: Option<SecretString>,
    /// Root certificates that the peer's certificate must chain to.
    pub root_ca: Option<String>,
    /// A DER-encoded OCSP response in base64, stapled to the handshake.
    pub ocsp_staple: Option<String>,
}
