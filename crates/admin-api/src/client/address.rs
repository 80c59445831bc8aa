//! Where the API is: `http://127.0.0.1:9978`, `https://plane.example:9978`, `unix:///run/biplane/admin.sock`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::DEFAULT_ADDRESS;

/// Where the API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A name or an IP address, the latter without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether TLS is spoken there.
        tls: bool,
    },
    /// A socket file.
    Unix(PathBuf),
}

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an address of the API: write http://127.0.0.1:9978, https://HOST:9978 or unix:///run/biplane/admin.sock"
)]
pub struct InvalidAddress(String);

impl Address {
    /// Whether what is sent stays on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// What a request says in `Host`.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp { host: address.ip().to_string(), port: address.port(), tls: false }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        parse(text).ok_or_else(|| InvalidAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Address> {
    if let Some(path) = text.strip_prefix("unix://") {
        return path.starts_with('/').then(|| Address::Unix(path.into()));
    }
    let (tls, rest) = match text.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        Some(_) => return None,
        None => (false, text),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = host_and_port(authority)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let valid = !host.is_empty() && host.chars().all(plain);
    valid.then(|| Address::Tcp { host: host.to_owned(), port, tls })
}

/// The port may be left out: it is the usual one then.
fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return Some((host, port_of(rest)?));
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((authority, DEFAULT_ADDRESS.port())),
    }
}

fn port_of(rest: &str) -> Option<u16> {
    if rest.is_empty() { Some(DEFAULT_ADDRESS.port()) } else { rest.strip_prefix(':')?.parse().ok() }
}

/// As it is written; it reads itself back.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { tls: true, .. } => write!(f, "https://{}", self.authority()),
            Self::Tcp { .. } => write!(f, "http://{}", self.authority()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_what_it_writes() {
        for text in [
            "http://127.0.0.1:9978",
            "https://plane.example:8443",
            "http://[::1]:80",
            "unix:///run/biplane/admin.sock",
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_can_be_left_out_may_be() {
        let written = |text: &str| text.parse::<Address>().expect(text).to_string();
        assert_eq!(written("localhost"), "http://localhost:9978");
        assert_eq!(written("https://plane.example/"), "https://plane.example:9978");
        assert_eq!(written("[::1]"), "http://[::1]:9978");
        assert_eq!(written("127.0.0.1:1"), "http://127.0.0.1:1");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ftp://a",
            "http://",
            "unix://relative",
            "http://a/b",
            "a:b",
            "http://a b",
            "::1",
            "http://u@h:1",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_are_local() {
        for (text, local) in [
            ("localhost", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("unix:///a", true),
            ("10.0.0.1", false),
        ] {
            assert_eq!(text.parse::<Address>().expect(text).is_local(), local, "{text}");
        }
    }
}
