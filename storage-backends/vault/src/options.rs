//! What can be set about a Vault.

mod address;
mod environment;
mod parameters;
mod url;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use biplane_core::scalars::SecretString;
use biplane_source::SourceError;

pub use address::Address;
pub use biplane_agent::Tls;

/// The engine that is meant where a reference names none: the one that a development server comes with.
const KV_MOUNT: &str = "secret";

/// How many certificates and credentials are issued in a second.
const MAX_RATE: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");

/// Where a Vault or an OpenBao is, who asks it, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultOptions {
    /// What status and objects call it.
    pub name: String,
    /// The server, or what stands in front of several.
    pub address: Address,
    /// The namespace of every request.
    pub namespace: Option<String>,
    /// How a token is come by.
    pub auth: Auth,
    /// Whom to trust and what to show, where the address is encrypted.
    pub tls: Tls,
    /// How often what is stored is read again.
    pub refresh: Duration,
    /// How long one question may take.
    pub timeout: Duration,
    /// How many certificates and credentials are issued in a second, at most.
    pub max_rate: NonZeroU32,
    /// The key-value engine of references that name none.
    pub kv_mount: String,
    /// The root of Gloo's own objects in that engine, if it holds any.
    pub gloo_root: Option<String>,
    /// Whether Envoys wait for their first answer until it has answered.
    pub required: bool,
    /// The rest.
    pub tuning: Tuning,
}

/// What hardly anybody sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long after a failure it is tried again, at most.
    pub retry_max: Duration,
    /// How often files with credentials are looked at.
    pub glance: Duration,
    /// How long a new root is known to everybody before a certificate that it signed is told.
    pub settle: Duration,
    /// How many requests are under way at a time.
    pub max_requests: usize,
}

/// How a token is come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// It is this one.
    Token(SecretString),
    /// It is in a file that others keep up to date.
    TokenFile(PathBuf),
    /// For the two ids of an application.
    AppRole {
        /// Where the method is mounted.
        mount: String,
        /// The id of the role.
        role_id: RoleId,
        /// The file that holds the secret id, if the role asks for one.
        secret_id_file: Option<PathBuf>,
    },
    /// For a signed token of somebody whom Vault trusts, such as Nomad.
    Jwt {
        /// Where the method is mounted.
        mount: String,
        /// The role; `None`: the method's default.
        role: Option<String>,
        /// The file that holds the token.
        file: PathBuf,
    },
    /// For the credentials of AWS that this process finds.
    Aws {
        /// Where the method is mounted.
        mount: String,
        /// The role; `None`: the one that is called like the role or the user of AWS.
        role: Option<String>,
        /// The region whose STS says who we are.
        region: StsRegion,
        /// What the method wants to read in the header `X-Vault-AWS-IAM-Server-ID`.
        server_id: Option<String>,
    },
    /// For the certificate that the connection shows.
    Cert {
        /// Where the method is mounted.
        mount: String,
        /// The role; `None`: any that fits.
        role: Option<String>,
    },
    /// For a password.
    Userpass {
        /// Where the method is mounted.
        mount: String,
        /// Who it is.
        username: String,
        /// The file whose first line is the password.
        password_file: PathBuf,
    },
}

/// A region of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StsRegion {
    /// It is this one.
    Named(String),
    /// What variables, the profile or the instance say at each login.
    Found,
}

/// The id of an application's role, which is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleId {
    /// It is this.
    Text(String),
    /// It is in this file.
    File(PathBuf),
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            retry_max: Duration::from_secs(15),
            glance: Duration::from_secs(2),
            settle: Duration::from_secs(2),
            max_requests: 16,
        }
    }
}

impl Auth {
    /// What the URL calls it.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::TokenFile(_) => "tokenFile",
            Self::AppRole { .. } => "approle",
            Self::Jwt { .. } => "jwt",
            Self::Aws { .. } => "aws",
            Self::Cert { .. } => "cert",
            Self::Userpass { .. } => "userpass",
        }
    }
}

impl VaultOptions {
    /// The defaults for an address.
    pub fn new(address: Address, auth: Auth) -> Self {
        Self {
            name: "vault".to_owned(),
            address,
            namespace: None,
            auth,
            tls: Tls::default(),
            refresh: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            max_rate: MAX_RATE,
            kv_mount: KV_MOUNT.to_owned(),
            gloo_root: None,
            required: false,
            tuning: Tuning::default(),
        }
    }

    /// From `vault://HOST:PORT?...`, `vaults://HOST:PORT?...` (TLS) or `vault:` (the address comes from `BAO_ADDR`,
    /// else `VAULT_ADDR`). What the URL does not say comes from the variables that the command lines of OpenBao
    /// and Vault read; a parameter that is not known is an error.
    pub fn from_url(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, SourceError> {
        url::parse(url, environment)
    }
}
