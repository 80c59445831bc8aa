//! What a client is told: where the API is, who it is itself, and whom it trusts.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::address::Address;
use crate::resources::{Problem, ProblemKind};

/// What a client is told.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where the API is.
    pub address: Address,
    /// Who the client is.
    pub token: Option<Token>,
    /// Whom it trusts, in PEM; none: whom this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// Its own certificate and key in PEM, where the server asks for one.
    pub identity: Option<Identity>,
}

impl ClientOptions {
    /// A client that needs neither a token nor certificates of its own.
    pub const fn new(address: Address) -> Self {
        Self { address, token: None, ca_file: None, identity: None }
    }
}

/// A client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and what stands between it and its authority.
    pub cert_file: PathBuf,
    /// The key.
    pub key_file: PathBuf,
}

/// A token, which no message shows.
#[derive(Clone)]
pub enum Token {
    /// The token itself.
    Text(Zeroizing<String>),
    /// A file with the token in it, read for each call, so that it may change.
    File(PathBuf),
}

impl Token {
    /// The token itself.
    pub fn text(token: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(token.into()))
    }

    /// What the header `Authorization` says.
    pub(super) fn header(&self) -> Result<Zeroizing<String>, Problem> {
        let token = match self {
            Self::Text(text) => text.clone(),
            Self::File(path) => Zeroizing::new(std::fs::read_to_string(path).map_err(|error| {
                let message = format!("the token file {} cannot be read: {error}", path.display());
                Problem::new(ProblemKind::Unauthenticated, message)
            })?),
        };
        let token = token.trim();
        let valid = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !valid {
            let problem = Problem::new(ProblemKind::Unauthenticated, format!("{self:?} holds no token"));
            return Err(problem.hint("a token is one word, as `biplane admin token new` prints it"));
        }
        Ok(Zeroizing::new(format!("Bearer {token}")))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("[redacted]"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}
