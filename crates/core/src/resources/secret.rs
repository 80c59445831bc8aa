//! Secrets: key material and credentials that listeners, routes and upstreams refer to.
//!
//! A secret either holds its values itself, in one of the forms of Gloo's model, or says where they are kept
//! ([`VaultSecret`], [`FileSecret`]) and which form they have there. What is kept elsewhere is never
//! written into the object.

mod external;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::SecretString;
pub use external::{
    External, FileSecret, KeyPlace, KeyType, OnDelete, SecretForm, VaultAws, VaultKv, VaultPki, VaultSecret,
};

/// A secret: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Secret {
    /// A certificate with its key, a trusted root, or both.
    pub tls: Option<TlsSecret>,
    /// Headers, for `headerSecretRef`.
    pub header: Option<HeaderSecret>,
    /// User names with passwords, for `basicAuth`.
    pub credentials: Option<CredentialsSecret>,
    /// Keys of clients, for `apiKeyAuth`.
    pub api_key: Option<ApiKeySecret>,
    /// Credentials of AWS.
    pub aws: Option<AwsSecret>,
    /// Keys of Azure functions.
    pub azure: Option<AzureSecret>,
    /// The client secret of an OAuth2 client.
    pub oauth: Option<OauthSecret>,
    /// A symmetric key, as for HMAC.
    pub encryption: Option<EncryptionSecret>,
    /// Values by names of one's own, such as JSON web keys.
    pub generic: Option<GenericSecret>,
    /// The values are kept in Vault or OpenBao.
    pub vault: Option<VaultSecret>,
    /// The values are kept in files on the machine that runs Biplane.
    pub file: Option<FileSecret>,
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

/// Headers with secret values.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HeaderSecret {
    /// Values by header name.
    pub headers: BTreeMap<String, SecretString>,
}

/// A user name and its password; further users under `users`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CredentialsSecret {
    /// The user name.
    pub username: Option<String>,
    /// The password, in the clear.
    pub password: Option<SecretString>,
    /// Passwords by user name, each in the clear or as `{SHA}` and the base64 of its SHA-1, as `htpasswd -s`
    /// writes it.
    pub users: BTreeMap<String, SecretString>,
}

/// A key of one client, or the keys of several.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ApiKeySecret {
    /// The key of the client that is named like the secret.
    pub api_key: Option<SecretString>,
    /// Keys by client.
    pub keys: BTreeMap<String, SecretString>,
    /// Read past: Gloo's enterprise edition selects secrets by it.
    pub labels: Vec<String>,
    /// Read past.
    pub metadata: BTreeMap<String, String>,
}

/// Credentials of AWS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AwsSecret {
    /// The id of the access key.
    pub access_key: Option<String>,
    /// The access key.
    pub secret_key: Option<SecretString>,
    /// The token that goes with credentials of limited life.
    pub session_token: Option<SecretString>,
}

/// Keys of Azure functions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AzureSecret {
    /// Keys by the name of the function; `_master` is the host's key.
    pub api_keys: BTreeMap<String, SecretString>,
}

/// The client secret of an OAuth2 client.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct OauthSecret {
    /// The client secret.
    pub client_secret: Option<SecretString>,
}

/// A symmetric key.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EncryptionSecret {
    /// The key.
    pub key: Option<SecretString>,
}

/// Values by names of one's own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GenericSecret {
    /// The values.
    pub values: BTreeMap<String, SecretString>,
}

impl Secret {
    /// Where the values are kept, if not in the object.
    pub fn external(&self) -> Option<External<'_>> {
        let vault = self.vault.as_ref().map(External::Vault);
        vault.or_else(|| self.file.as_ref().map(External::File))
    }

    /// Whether it has values: its own, or those that were fetched for it. One without is kept elsewhere and not
    /// known yet.
    pub const fn is_known(&self) -> bool {
        self.tls.is_some()
            || self.header.is_some()
            || self.credentials.is_some()
            || self.api_key.is_some()
            || self.aws.is_some()
            || self.azure.is_some()
            || self.oauth.is_some()
            || self.encryption.is_some()
            || self.generic.is_some()
    }
}
