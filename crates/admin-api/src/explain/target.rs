//! A URL, as far as the way of a request depends on it.

use std::str::FromStr;

/// The parts of an `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether it is `https`.
    pub tls: bool,
    /// The host; an IPv6 address in brackets.
    pub host: String,
    /// The port, if the URL names one.
    pub port: Option<u16>,
    /// Path and query, `/` at least, without a fragment: clients send none.
    pub path: String,
}

/// Why a text is not a URL that a gateway could be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It begins otherwise.
    #[error("{0:?} begins neither with http:// nor with https://")]
    Scheme(String),
    /// The host is missing, or cannot be one.
    #[error("{0:?} has no host that a request could be for")]
    Host(String),
    /// The port cannot be one.
    #[error("{0:?} is not a port")]
    Port(String),
    /// A client would not send this.
    #[error("a URL has neither blanks nor control characters: they are written as %20 and alike")]
    Blank,
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(url: &str) -> Result<Self, InvalidTarget> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| InvalidTarget::Scheme(url.to_owned()))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(InvalidTarget::Scheme(url.to_owned())),
        };
        if rest.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(InvalidTarget::Blank);
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = split(authority)?;
        if host.is_empty() {
            return Err(InvalidTarget::Host(url.to_owned()));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, host: host.to_owned(), port, path })
    }
}

/// Host and port. The colons of an IPv6 address are in brackets.
fn split(authority: &str) -> Result<(&str, Option<u16>), InvalidTarget> {
    let from = authority.rfind(']').unwrap_or(0);
    let Some(colon) = authority[from..].find(':').map(|at| from + at) else { return Ok((authority, None)) };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    if port.is_empty() {
        return Ok((host, None));
    }
    let number = port.parse().ok().filter(|port| *port > 0);
    number.map(|number| (host, Some(number))).ok_or_else(|| InvalidTarget::Port(port.to_owned()))
}

impl Target {
    /// What a client writes into the `Host` header: no port where it is the usual one.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        match self.port {
            Some(port) if port != usual => format!("{}:{port}", self.host),
            _ => self.host.clone(),
        }
    }

    /// The server name that a client asks for by TLS. An address is no name.
    pub fn server_name(&self) -> Option<&str> {
        let is_address = self.host.starts_with('[') || self.host.parse::<std::net::Ipv4Addr>().is_ok();
        (self.tls && !is_address).then_some(&*self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        url.parse().expect(url)
    }

    #[test]
    fn a_url_is_taken_apart_as_clients_do() {
        let expected = Target { tls: false, host: "a.b".into(), port: Some(8080), path: "/c?d=/e".into() };
        assert_eq!(target("http://user@a.b:8080/c?d=/e#f"), expected);
        assert_eq!(target("HTTPS://a.b").path, "/");
        assert_eq!(target("https://a.b?x").path, "/?x");
        assert_eq!(
            (target("https://[::1]:8443/").host, target("https://[::1]").port),
            ("[::1]".into(), None)
        );
    }

    #[test]
    fn the_usual_port_is_not_part_of_the_host_and_an_address_is_no_server_name() {
        let authorities = ["http://a:80", "http://a:443", "https://a:443", "https://a:80", "http://[::1]:81"];
        let authorities = authorities.map(|url| target(url).authority());
        assert_eq!(authorities, ["a", "a:443", "a", "a:80", "[::1]:81"]);
        let names = ["http://a", "https://a", "https://10.0.0.1", "https://[::1]"];
        let names = names.map(|url| target(url).server_name().map(str::to_owned));
        assert_eq!(names, [None, Some("a".to_owned()), None, None]);
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_reason() {
        let error = |url: &str| url.parse::<Target>().expect_err(url);
        assert_eq!(error("example.com/x"), InvalidTarget::Scheme("example.com/x".into()));
        assert_eq!(error("ftp://a"), InvalidTarget::Scheme("ftp://a".into()));
        assert_eq!(error("http:///x"), InvalidTarget::Host("http:///x".into()));
        assert_eq!(error("http://a:x"), InvalidTarget::Port("x".into()));
        assert_eq!(error("http://a/b c"), InvalidTarget::Blank);
    }
}
