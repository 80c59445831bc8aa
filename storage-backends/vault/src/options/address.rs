//! The address of a server: a scheme, a host and a port, and nothing that could be a credential.

use std::fmt;

use biplane_agent::{AuthorityError, host_and_port};
use biplane_source::SourceError;

/// The port of Vault and OpenBao.
const PORT: u16 = 8200;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A name or an IP address, the latter without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// The address of `host:port`, `host`, `[::1]:port`.
    pub fn new(authority: &str, tls: bool) -> Result<Self, SourceError> {
        Self::parse(authority, tls, PORT)
    }

    /// From a variable: `http://host:port` or `https://host:port`, where the port may be left out as in any URL.
    pub(super) fn from_variable(name: &str, text: &str) -> Result<Self, SourceError> {
        let refuse = |why: &str| {
            SourceError::invalid(format!("{name} {why}")).hint(format!("{name}=https://HOST:8200"))
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse("has no scheme"))?;
        let (tls, port) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return Err(refuse("is neither http:// nor https://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('/') {
            return Err(refuse("has a path, which is not supported"));
        }
        Self::parse(authority, tls, port).map_err(|error| refuse(&format!("cannot be used: {error}")))
    }

    fn parse(authority: &str, tls: bool, default_port: u16) -> Result<Self, SourceError> {
        let (host, port) = host_and_port(authority, default_port).map_err(|error| match error {
            AuthorityError::Credential => SourceError::invalid("an address carries no user and no token")
                .hint("tokenFile=FILE, BAO_TOKEN or VAULT_TOKEN, or another auth="),
            AuthorityError::Malformed => SourceError::invalid(format!("{authority:?} is no host and port"))
                .hint("HOST:8200, or [::1]:8200"),
        })?;
        Ok(Self { tls, host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let Self { host, port, .. } = self;
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
        assert_eq!(shown("vault.internal"), Ok("http://vault.internal:8200".into()));
        assert_eq!(shown("10.0.0.1:1234"), Ok("http://10.0.0.1:1234".into()));
        assert_eq!(shown("[::1]:1234"), Ok("http://[::1]:1234".into()));
        assert_eq!(shown("[::1]"), Ok("http://[::1]:8200".into()));
        for wrong in ["", ":8200", "host:", "host:0", "host:x", "::1", "[::1", "[::1]8200", "a b", "a/b"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_variable_without_a_port_means_that_of_its_scheme() {
        let shown = |text| Address::from_variable("VAULT_ADDR", text).map(|address| address.to_string());
        assert_eq!(shown("https://vault.internal/"), Ok("https://vault.internal:443".into()));
        assert_eq!(shown("http://127.0.0.1:8200"), Ok("http://127.0.0.1:8200".into()));
        for wrong in ["vault:8200", "unix:///run/vault", "https://host/vault", "https://"] {
            assert!(shown(wrong).is_err_and(|error| error.message.contains("VAULT_ADDR")), "{wrong}");
        }
    }

    #[test]
    fn a_credential_in_an_address_is_refused_without_being_repeated() {
        let error = Address::new("hunter2@host", true).expect_err("a credential");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
