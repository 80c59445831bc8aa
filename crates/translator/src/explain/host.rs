//! Which domain of a virtual host takes a request: the best by Envoy's order, and no other.

/// How a domain matches a host, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is the host.
    Exact,
    /// `*.example.com`, `*-web.example.com`: the longest first.
    Suffix,
    /// `example.*`: the longest first.
    Prefix,
    /// `*`
    All,
}

impl Kind {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Suffix => "suffix",
            Self::Prefix => "prefix",
            Self::All => "any host",
        }
    }
}

/// All domains that take `authority` (a `Host` header), in the order in which Envoy looks for them.
///
/// A wildcard stands for one character at least. The port is a part of the host unless the gateway strips it.
pub fn candidates(authority: &str) -> impl Iterator<Item = (String, Kind)> {
    let host = authority.to_ascii_lowercase();
    let cuts: Vec<usize> = host.char_indices().map(|(at, _)| at).filter(|at| *at > 0).collect();
    let suffixes: Vec<_> = cuts.iter().map(|&at| (format!("*{}", &host[at..]), Kind::Suffix)).collect();
    let prefixes: Vec<_> = cuts.iter().rev().map(|&at| (format!("{}*", &host[..at]), Kind::Prefix)).collect();
    let all = std::iter::once(("*".to_owned(), Kind::All));
    std::iter::once((host, Kind::Exact)).chain(suffixes).chain(prefixes).chain(all)
}

/// The host of a `Host` header without its port.
pub fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !unclosed(host) => host,
        _ => authority,
    }
}

/// Whether the colon was one of an IPv6 address in brackets.
fn unclosed(host: &str) -> bool {
    host.starts_with('[') && !host.ends_with(']')
}
