//! Where an agent listens: a scheme, a host and a port, or a Unix socket; nothing that could be a credential.

use std::fmt;
use std::path::PathBuf;

use biplane_agent::{AuthorityError, host_and_port};
use biplane_source::SourceError;

/// The port of Nomad's API.
const PORT: u16 = 4646;

/// An agent's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Over TCP.
    Tcp {
        /// A name or an IP address, the latter without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether TLS is spoken there.
        tls: bool,
    },
    /// Over a Unix socket, such as the one that Nomad puts among a task's secrets.
    Unix(PathBuf),
}

impl Address {
    /// The address of `host:port`, `host`, `[::1]:port`.
    pub fn new(authority: &str, tls: bool) -> Result<Self, SourceError> {
        Self::parse(authority, tls, PORT)
    }

    /// From `NOMAD_ADDR`: `http://host:port`, `https://host:port` or `unix:///path`.
    pub(super) fn from_variable(name: &str, text: &str) -> Result<Self, SourceError> {
        let refuse = |why: &str| {
            SourceError::invalid(format!("{name} {why}"))
                .hint(format!("{name}=http://HOST:4646, or unix:///PATH"))
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse("has no scheme"))?;
        // Without a port it is that of the scheme, as for Nomad's command line.
        let (tls, port) = match scheme {
            "unix" => return Self::unix(rest).map_err(|_| refuse("names no socket")),
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return Err(refuse("is neither http://, https:// nor unix://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('/') {
            return Err(refuse("has a path, which is not supported"));
        }
        Self::parse(authority, tls, port).map_err(|error| refuse(&format!("cannot be used: {error}")))
    }

    /// A socket, by its absolute path.
    pub(super) fn unix(path: &str) -> Result<Self, SourceError> {
        if path.starts_with('/') && !path.ends_with('/') {
            return Ok(Self::Unix(path.into()));
        }
        Err(SourceError::invalid("the path of a socket is absolute").hint("nomad+unix:///secrets/api.sock"))
    }

    fn parse(authority: &str, tls: bool, default_port: u16) -> Result<Self, SourceError> {
        let (host, port) = host_and_port(authority, default_port).map_err(|error| match error {
            AuthorityError::Credential => SourceError::invalid("an address carries no user and no token")
                .hint("tokenFile=FILE in the URL, or NOMAD_TOKEN"),
            AuthorityError::Malformed => SourceError::invalid(format!("{authority:?} is no host and port"))
                .hint("HOST:4646, or [::1]:4646"),
        })?;
        Ok(Self::Tcp { host: host.to_owned(), port, tls })
    }

    /// Whether TLS is spoken there.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }
}

/// As people write it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Tcp { host, port, tls } = self else {
            let Self::Unix(path) = self else { return Ok(()) };
            return write!(f, "unix://{}", path.display());
        };
        let scheme = if *tls { "https" } else { "http" };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_ports() {
        let shown = |text| Address::new(text, false).map(|address| address.to_string());
        assert_eq!(shown("nomad.internal"), Ok("http://nomad.internal:4646".into()));
        assert_eq!(shown("10.0.0.1:1234"), Ok("http://10.0.0.1:1234".into()));
        assert_eq!(shown("[::1]:1234"), Ok("http://[::1]:1234".into()));
        assert_eq!(shown("[::1]"), Ok("http://[::1]:4646".into()));
        for wrong in ["", ":4646", "host:", "host:0", "host:x", "::1", "[::1", "[::1]4646", "a b", "a/b"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_variable_names_a_host_or_a_socket() {
        let shown = |text| Address::from_variable("NOMAD_ADDR", text).map(|address| address.to_string());
        assert_eq!(shown("https://nomad.internal/"), Ok("https://nomad.internal:443".into()));
        assert_eq!(shown("http://127.0.0.1:4646"), Ok("http://127.0.0.1:4646".into()));
        assert_eq!(shown("unix:///secrets/api.sock"), Ok("unix:///secrets/api.sock".into()));
        for wrong in ["nomad:4646", "unix://secrets", "https://host/nomad", "https://"] {
            assert!(shown(wrong).is_err_and(|error| error.message.contains("NOMAD_ADDR")), "{wrong}");
        }
    }

    #[test]
    fn a_credential_in_an_address_is_refused_without_being_repeated() {
        let error = Address::new("hunter2@host", true).expect_err("a credential");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
