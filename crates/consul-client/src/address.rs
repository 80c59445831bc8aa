//! Where an agent listens: a host and port, or a Unix socket.

use std::fmt;
use std::path::PathBuf;

use crate::error::Error;

/// The ports that agents listen at when nobody says otherwise.
const PORT: u16 = 8500;
const PORT_TLS: u16 = 8501;

/// The ports of a URL that names none.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// An agent's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Over TCP.
    Tcp {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether TLS is spoken there.
        tls: bool,
    },
    /// Over a Unix socket, without TLS.
    Unix(PathBuf),
}

impl Default for Address {
    fn default() -> Self {
        Self::Tcp { host: "127.0.0.1".into(), port: PORT, tls: false }
    }
}

impl Address {
    /// From `CONSUL_HTTP_ADDR`: `host`, `host:port`, `http://...`, `https://...`, `unix:///path`. `tls` is what
    /// `CONSUL_HTTP_SSL` says, which counts where no scheme does. Without a port it is HTTP's own, as for Consul's
    /// command line.
    pub fn parse(text: &str, tls: bool) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once("://").unwrap_or((if tls { "https" } else { "http" }, text));
        match scheme {
            "unix" => Ok(Self::Unix(rest.into())),
            "http" => Self::at(rest, tls, if tls { HTTPS } else { HTTP }),
            "https" => Self::at(rest, true, HTTPS),
            other => {
                Err(Error::invalid(format!("{other}:// is no address of Consul: use http, https or unix")))
            }
        }
    }

    /// From `host`, `host:port`, `[v6]:port`, with nothing behind it but a slash.
    pub fn tcp(authority: &str, tls: bool) -> Result<Self, Error> {
        Self::at(authority, tls, if tls { PORT_TLS } else { PORT })
    }

    fn at(authority: &str, tls: bool, default: u16) -> Result<Self, Error> {
        let authority = authority.trim_end_matches('/');
        let wrong = || Error::invalid(format!("{authority:?} is not host:port"));
        let (host, port) = split(authority).ok_or_else(wrong)?;
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None => default,
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || !host.chars().all(fits) {
            return Err(wrong());
        }
        Ok(Self::Tcp { host: host.to_owned(), port, tls })
    }

    /// As a URL of a Consul begins: `consul://host:port`, `consuls://host:port`, `consul+unix:///path`.
    pub fn url(&self) -> String {
        match self {
            Self::Unix(path) => format!("consul+unix://{}", path.display()),
            Self::Tcp { tls: true, .. } => format!("consuls://{self}"),
            Self::Tcp { .. } => format!("consul://{self}"),
        }
    }

    /// Whether TLS is spoken there.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port`, and of `v6`, which Consul's tools take, too.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let bare = || (!authority.starts_with('[')).then_some((authority, None));
    biplane_agent::split(authority).or_else(bare)
}

/// `host:port`, as people know it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, tls: bool) -> Address {
        Address::Tcp { host: host.into(), port, tls }
    }

    #[test]
    fn addresses_are_read_as_consul_reads_them() {
        for (text, address) in [
            ("localhost", tcp("localhost", 80, false)),
            ("10.0.0.1:18500", tcp("10.0.0.1", 18500, false)),
            ("http://consul.internal:80/", tcp("consul.internal", 80, false)),
            ("https://consul.internal", tcp("consul.internal", 443, true)),
            ("[::1]:8500", tcp("::1", 8500, false)),
            ("::1", tcp("::1", 80, false)),
            ("unix:///run/consul.sock", Address::Unix("/run/consul.sock".into())),
        ] {
            assert_eq!(Address::parse(text, false), Ok(address), "{text}");
        }
        assert_eq!(Address::parse("host", true), Ok(tcp("host", 443, true)));
    }

    #[test]
    fn an_address_of_ours_without_a_port_is_an_agents() {
        assert_eq!(Address::tcp("host", false), Ok(tcp("host", 8500, false)));
        assert_eq!(Address::tcp("host", true), Ok(tcp("host", 8501, true)));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "host:port", "ftp://host", "user@host:1", "http://host/prefix", "[::1", "host:99999"]
        {
            assert!(Address::parse(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_prints_as_it_is_written() {
        assert_eq!(tcp("::1", 1, false).to_string(), "[::1]:1");
        assert_eq!(Address::default().to_string(), "127.0.0.1:8500");
    }
}
