//! Where the values of a secret are kept when they are not in its object. Nothing here is secret.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalars::Duration;

/// Either place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum External<'a> {
    /// Vault or OpenBao.
    Vault(&'a VaultSecret),
    /// Files.
    File(&'a FileSecret),
}

/// Values in Vault or OpenBao: exactly one of `kv`, `pki` and `aws`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VaultSecret {
    /// The name of the secret source, where several are set up; default: the first one that is a Vault.
    pub source: Option<String>,
    /// Values stored in a key-value engine.
    pub kv: Option<VaultKv>,
    /// A certificate issued by a PKI engine, and renewed at half of its life.
    pub pki: Option<VaultPki>,
    /// Credentials from the AWS engine.
    pub aws: Option<VaultAws>,
    /// What the stored values are. Default `tls`. Only with `kv`.
    pub form: Option<SecretForm>,
    /// The names that the values have in Vault, by the names that they have here: `certChain: tls.crt`. Where one
    /// is not given, the usual names are tried. Only with `kv`.
    pub fields: BTreeMap<String, String>,
    /// How often stored values are read again; what is below `1s` is taken for that. Default: that of the source.
    pub refresh: Option<Duration>,
    /// What happens when the values are deleted in Vault.
    pub on_delete: Option<OnDelete>,
}

/// A place in a key-value engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VaultKv {
    /// Where the engine is mounted. Default: that of the source, `secret`.
    pub mount: Option<String>,
    /// The path below the mount, without `data/`.
    pub path: String,
    /// The engine's version, 1 or 2. Default: Vault is asked.
    pub version: Option<u32>,
}

/// A certificate to be issued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VaultPki {
    /// Where the engine is mounted. Default `pki`.
    pub mount: Option<String>,
    /// The engine's role.
    pub role: String,
    /// The certificate's common name.
    pub common_name: String,
    /// Further DNS names and email addresses.
    pub alt_names: Vec<String>,
    /// IP addresses.
    pub ip_sans: Vec<String>,
    /// URIs, such as SPIFFE ids.
    pub uri_sans: Vec<String>,
    /// The certificate's life. Default: the role's.
    pub ttl: Option<Duration>,
    /// The issuer's name or id. Default: the role's.
    pub issuer: Option<String>,
    /// Where the private key is made. Default `local`.
    pub key: Option<KeyPlace>,
    /// What kind of key is made here. Default `ec256`. Only with `key: local`.
    pub key_type: Option<KeyType>,
}

/// Where a private key is made.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum KeyPlace {
    /// In this process: Vault signs a request (`pki/sign`), and the key never travels.
    #[default]
    Local,
    /// In Vault (`pki/issue`), which sends it along.
    Vault,
}

/// Kinds of private keys.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum KeyType {
    /// ECDSA on P-256.
    #[default]
    Ec256,
    /// ECDSA on P-384.
    Ec384,
    /// RSA with 2,048 bits.
    Rsa2048,
    /// RSA with 4,096 bits.
    Rsa4096,
}

/// Credentials from Vault's AWS engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VaultAws {
    /// Where the engine is mounted. Default `aws`.
    pub mount: Option<String>,
    /// The engine's role.
    pub role: String,
    /// The role of AWS to assume, where the engine's role allows several.
    pub role_arn: Option<String>,
    /// The credentials' life, for roles that assume one. Default: the role's.
    pub ttl: Option<Duration>,
}

/// Values in files on the machine that runs Biplane: one file a value, in one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FileSecret {
    /// The name of the secret source, where several are set up; default: the first one that is files.
    pub source: Option<String>,
    /// A directory below that of the source; default: that itself. Or one file in PEM, with certificate and key.
    pub path: String,
    /// What the values are. Default `tls`.
    pub form: Option<SecretForm>,
    /// The names of files in the directory, by the names that their content has here: `certChain: web.pem`. Where
    /// one is not given, the usual names are tried.
    pub fields: BTreeMap<String, String>,
    /// What happens when the files are gone.
    pub on_delete: Option<OnDelete>,
}

/// What stored values are: a form of [`super::Secret`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretForm {
    /// `certChain`, `privateKey`, `rootCa`, `ocspStaple`
    #[default]
    Tls,
    /// Each value is a header's.
    Header,
    /// `username` and `password`; other values are passwords by user name.
    Credentials,
    /// `apiKey`; other values are keys by client.
    ApiKey,
    /// `accessKey`, `secretKey`, `sessionToken`
    Aws,
    /// Each value is the key of a function.
    Azure,
    /// `clientSecret`
    Oauth,
    /// `key`
    Encryption,
    /// Each value is one of its own.
    Generic,
    /// A whole `Secret` object, as Gloo stores it.
    Gloo,
}

/// What happens when values that were served are deleted where they are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnDelete {
    /// They stay in use, and status says so.
    #[default]
    Keep,
    /// They are taken from Envoys too: connections that need them fail.
    Remove,
}
