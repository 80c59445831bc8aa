//! Who may do what.
//!
//! | caller | without tokens | with tokens |
//! |---|---|---|
//! | socket file (its permissions are the check) | reads and writes | reads and writes |
//! | loopback, no token | reads | sees status and metrics |
//! | loopback, no token, `anonymous_write` | reads and writes | reads and writes |
//! | a known token | | what its role says |
//! | beyond loopback, no token | not served at all | probes only, over TLS |

mod caller;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use biplane_admin_api::{Problem, ProblemKind};
use biplane_tls::{Clients, ServerTls, TlsFiles};

pub(crate) use caller::{Caller, Need, Remote};
use tokens::TokenFile;
pub use tokens::{NewToken, Role, TokenError, TokenRule};

/// What an operator says about access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessOptions {
    /// The file with the tokens, a line each ([`TokenRule`]); read again when it changes.
    pub tokens_file: Option<PathBuf>,
    /// For development: whoever reaches the loopback address may write.
    pub anonymous_write: bool,
    /// TLS on all TCP addresses; the files are read again when they change. Where there is an authority of clients,
    /// callers without a certificate of it are refused.
    pub tls: Option<TlsFiles>,
}

/// Who may do what. The default is what a machine of one's own needs: loopback reads, socket files write.
#[derive(Clone, Default)]
pub struct Access {
    tokens: Option<Arc<TokenFile>>,
    anonymous_write: bool,
    tls: Option<ServerTls>,
}

impl Access {
    /// Reads the files that the options name. A line of the tokens file that cannot be read is an error here; when
    /// the file changes later it is said in the log and costs only itself.
    pub fn open(options: &AccessOptions) -> io::Result<Self> {
        let tokens = options.tokens_file.as_deref().map(TokenFile::open).transpose()?.map(Arc::new);
        let open =
            |files: &TlsFiles| ServerTls::open("admin", files.clone(), Clients::MustShow, &["http/1.1"]);
        let tls = options.tls.as_ref().map(open).transpose().map_err(io::Error::other)?;
        Ok(Self { tokens, anonymous_write: options.anonymous_write, tls })
    }

    /// Whether the API may be served at `address`.
    pub fn check_address(&self, address: SocketAddr) -> io::Result<()> {
        let missing = match (&self.tls, &self.tokens) {
            _ if address.ip().is_loopback() => return Ok(()),
            (Some(_), Some(_)) => return Ok(()),
            (None, Some(_)) => "TLS",
            (Some(_), None) => "tokens",
            (None, None) => "TLS and tokens",
        };
        let message = format!(
            "the admin address {address} is not on loopback, and that needs {missing}\n\
             hint: set adminTlsCert, adminTlsKey and adminTokensFile, or use 127.0.0.1:{} and reach it through ssh",
            address.port()
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }

    pub(crate) const fn tls(&self) -> Option<&ServerTls> {
        self.tls.as_ref()
    }

    /// Who asks. Whoever presents a token is that token or nobody.
    pub(crate) fn identify(&self, remote: &Remote, token: Option<&str>) -> Result<Caller, Problem> {
        match token {
            Some(token) => self.holder(token),
            None => Ok(Caller { name: remote.name(), may: self.standing(remote), by_token: false }),
        }
    }

    fn holder(&self, token: &str) -> Result<Caller, Problem> {
        let rule = self.tokens.as_ref().and_then(|tokens| tokens.find(token));
        let rule = rule.ok_or_else(|| {
            let problem = Problem::new(ProblemKind::Unauthenticated, "the token is not known here, or no longer");
            problem.hint("make one with `biplane admin token new NAME --role write` and add its line to adminTokensFile")
        })?;
        Ok(Caller { name: rule.name, may: rule.role.into(), by_token: true })
    }

    /// What a caller without a token may do.
    fn standing(&self, remote: &Remote) -> Need {
        match remote {
            Remote::Unix { .. } => Need::Write,
            Remote::Tcp(address) if !address.ip().is_loopback() => Need::Nothing,
            Remote::Tcp(_) if self.anonymous_write => Need::Write,
            Remote::Tcp(_) if self.tokens.is_some() => Need::Status,
            Remote::Tcp(_) => Need::Read,
        }
    }
}

/// Nothing of what the files hold.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("tokens", &self.tokens.is_some())
            .field("anonymous_write", &self.anonymous_write)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_beyond_loopback_is_refused_with_advice() {
        let error = Access::default().check_address(([0, 0, 0, 0], 9978).into()).expect_err("not loopback");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("needs TLS and tokens"), "{error}");
        assert!(error.to_string().contains("hint: set adminTlsCert"), "{error}");
    }

    #[test]
    fn what_a_caller_without_a_token_may_do() {
        let remote = |text: &str| Remote::Tcp(text.parse().expect("an address"));
        let reading = Access::default();
        let writing = Access { anonymous_write: true, ..Access::default() };
        for (access, remote, may) in [
            (&reading, remote("127.0.0.1:1"), Need::Read),
            (&reading, remote("[::1]:1"), Need::Read),
            (&reading, remote("10.0.0.1:1"), Need::Nothing),
            (&reading, Remote::Unix { uid: Some(0) }, Need::Write),
            (&writing, remote("127.0.0.1:1"), Need::Write),
            (&writing, remote("10.0.0.1:1"), Need::Nothing),
        ] {
            assert_eq!(access.standing(&remote), may, "{access:?} {remote:?}");
        }
    }

    #[test]
    fn a_token_that_is_not_known_is_nobody_even_where_none_is_needed() {
        let access = Access { anonymous_write: true, ..Access::default() };
        let refused = access.identify(&Remote::Unix { uid: None }, Some("x")).expect_err("unknown");
        assert_eq!(refused.kind, ProblemKind::Unauthenticated);
    }
}
