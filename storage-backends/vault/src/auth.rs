//! The ways to a token, one file a method. Credentials are read from their files for each login: whoever rotates
//! them replaces the file, and nobody has to be told.
//!
//! Invariant: what proves who we are is hidden from every error of the request that it is sent in.

mod approle;
mod aws;
mod cert;
mod jwt;
mod token;
mod userpass;

use std::path::{Path, PathBuf};

use biplane_core::scalars::SecretString;
use biplane_source::SourceError;
use rustify::Endpoint;
use zeroize::Zeroizing;

use crate::client::{Call, Client, Failure, Grant, Json, Kind};
use crate::options::{Auth, RoleId};

pub(crate) use token::{look_up, renew};

/// A new token, or the one that there is with what is left of its life.
pub(crate) async fn log_in(client: &Client, auth: &Auth) -> Result<Grant, Failure> {
    match auth {
        Auth::Token(token) => token::take(client, token).await,
        Auth::TokenFile(file) => token::take(client, &credential(file).await?).await,
        Auth::AppRole { mount, role_id, secret_id_file } => {
            approle::log_in(client, mount, role_id, secret_id_file.as_deref()).await
        }
        Auth::Jwt { mount, role, file } => jwt::log_in(client, mount, role.as_deref(), file).await,
        Auth::Aws { mount, role, region, server_id } => {
            let wanted =
                aws::Wanted { mount, role: role.as_deref(), region, server_id: server_id.as_deref() };
            aws::log_in(client, &wanted).await
        }
        Auth::Cert { mount, role } => cert::log_in(client, mount, role.as_deref()).await,
        Auth::Userpass { mount, username, password_file } => {
            userpass::log_in(client, mount, username, password_file).await
        }
    }
}

impl Auth {
    /// Whether another token can be had once this one ends. Others give us the token otherwise.
    pub(crate) const fn makes_tokens(&self) -> bool {
        !matches!(self, Self::Token(_) | Self::TokenFile(_))
    }

    /// The files whose change may make a login succeed.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let files = match self {
            Self::Token(_) | Self::Aws { .. } | Self::Cert { .. } => [None, None],
            Self::TokenFile(file) | Self::Jwt { file, .. } | Self::Userpass { password_file: file, .. } => {
                [Some(file), None]
            }
            Self::AppRole { role_id: RoleId::File(file), secret_id_file, .. } => {
                [Some(file), secret_id_file.as_ref()]
            }
            Self::AppRole { secret_id_file, .. } => [secret_id_file.as_ref(), None],
        };
        files.into_iter().flatten().cloned().collect()
    }

    /// How it is shown: the method, and where it is mounted.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Token(_) => "token".to_owned(),
            Self::TokenFile(file) => format!("tokenFile {}", file.display()),
            Self::AppRole { mount, .. }
            | Self::Jwt { mount, .. }
            | Self::Aws { mount, .. }
            | Self::Cert { mount, .. }
            | Self::Userpass { mount, .. } => format!("{} at auth/{mount}", self.method()),
        }
    }
}

/// Sends a login, which has no token and hides what it proves itself with.
async fn exchange<E: Endpoint>(
    client: &Client,
    method: &str,
    endpoint: E,
    proof: impl IntoIterator<Item = SecretString>,
) -> Result<Grant, Failure> {
    let mut call = invalid(client.call(format!("log in by {method}"), endpoint))?;
    call = proof.into_iter().fold(call, Call::hides);
    grant(client, &call, None).await
}

/// Sends what is answered with a token.
async fn grant(client: &Client, call: &Call, token: Option<&SecretString>) -> Result<Grant, Failure> {
    let answer = client.send(call, token).await?;
    let envelope = answer.envelope::<Json>();
    let granted = envelope.and_then(|envelope| envelope.auth).filter(|grant| !grant.client_token.is_empty());
    granted.ok_or_else(|| Failure::malformed(call, &client.address()))
}

/// The text of a file, without the line's end.
async fn credential(file: &Path) -> Result<SecretString, Failure> {
    let shown = file.display();
    let bytes = tokio::fs::read(file).await.map(Zeroizing::new);
    let bytes = bytes.map_err(|error| missing(format!("cannot read {shown} to log in to Vault: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| missing(format!("{shown} holds no text")))?;
    match text.trim() {
        // Its writer may not be done.
        "" => Err(missing(format!("{shown} is empty, and should hold what to log in to Vault with"))),
        text => Ok(SecretString::new(text)),
    }
}

fn missing(message: String) -> Failure {
    let error = SourceError::new(message).hint("the file is read again when it changes");
    Failure { kind: Kind::Down, error }
}

fn invalid<T>(made: Result<T, SourceError>) -> Result<T, Failure> {
    made.map_err(|error| Failure { kind: Kind::Invalid, error })
}
