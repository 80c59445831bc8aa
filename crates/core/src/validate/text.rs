//! Checks of small texts: header names and values, paths, hosts, domains.

use std::net::IpAddr;

/// Longest body of a direct response, in bytes, unless a gateway raises it.
pub(super) const DIRECT_BODY: usize = 4096;

/// Why a text is refused; `Ok` when it is not.
pub(super) type Verdict = Result<(), &'static str>;

/// RFC 9110's `token`.
pub(super) fn is_token(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(token)
}

/// A header to read: pseudo headers such as `:method` too.
pub(super) fn header_name(name: &str) -> Verdict {
    if name.is_empty() {
        return Err("the header has no name");
    }
    if is_token(name.strip_prefix(':').unwrap_or(name)) {
        return Ok(());
    }
    Err("this is not a name that a header can have")
}

/// A header to add, set or remove. Envoy refuses what routing rests on.
pub(super) fn mutable_header_name(name: &str) -> Verdict {
    header_name(name)?;
    if name.starts_with(':') || name.eq_ignore_ascii_case("host") {
        return Err("Envoy refuses to add or remove pseudo headers and `host`");
    }
    Ok(())
}

/// What a header's value cannot hold.
pub(super) fn header_value(value: &str) -> Verdict {
    if value.contains(['\0', '\r', '\n']) {
        return Err("a line break or a zero cannot stand in a header");
    }
    Ok(())
}

/// A path to match or to send: absolute, without query and fragment.
pub(super) fn path(path: &str) -> Verdict {
    if !path.starts_with('/') {
        return Err("a path starts with /");
    }
    if path.contains(['?', '#']) {
        return Err("a path holds neither ? nor #");
    }
    path_characters(path)
}

/// The characters of a path.
pub(super) fn path_characters(path: &str) -> Verdict {
    if path
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`'))
    {
        return Err("a character in it cannot stand in a path; write it as %xx");
    }
    let mut rest = path;
    while let Some((_, behind)) = rest.split_once('%') {
        let hexadecimal = behind.len() >= 2 && behind.bytes().take(2).all(|b| b.is_ascii_hexdigit());
        if !hexadecimal {
            return Err("% stands before two hexadecimal digits");
        }
        rest = behind;
    }
    Ok(())
}

/// A domain of a virtual host: at most one `*`, at an end; a port may follow.
pub(super) fn domain(domain: &str) -> Verdict {
    if domain.is_empty() {
        return Err("the domain is empty");
    }
    let inner = domain.strip_prefix('*').or_else(|| domain.strip_suffix('*')).unwrap_or(domain);
    if inner.contains('*') {
        return Err("a domain has one * at most, at its start or at its end");
    }
    if domain.contains("://") {
        return Err("a domain is a host without a scheme");
    }
    if domain.contains('/') {
        return Err("a domain is a host without a path");
    }
    if inner.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("white space cannot stand in a domain");
    }
    Ok(())
}

/// An IP address or a DNS name.
pub(super) fn host(host: &str) -> Verdict {
    if host.is_empty() {
        return Err("the host is empty");
    }
    if host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if host.contains("://") || host.contains('/') {
        return Err("a host is an address or a name, without scheme and path");
    }
    if host.contains(':') {
        return Err("a host stands without its port");
    }
    if host.len() > 253 || !host.trim_end_matches('.').split('.').all(label) {
        return Err("this is neither an IP address nor a DNS name");
    }
    // `1.2.3.400`: a resolver would take it for a name, and never find it.
    if host
        .rsplit('.')
        .next()
        .is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err("this is neither an IP address nor a DNS name");
    }
    Ok(())
}

fn label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_') || !b.is_ascii();
    !label.is_empty() && label.len() <= 63 && label.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_have_one_star_at_an_end() {
        for text in ["*", "a.com", "*.a.com", "a.*", "*-b.a.com", "a.com:8080", "[::1]:80"] {
            assert_eq!(domain(text), Ok(()), "{text}");
        }
        for text in ["", "a.*.com", "*.*", "**", "http://a", "a/b", "a b"] {
            assert!(domain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        for text in ["10.0.0.1", "::1", "a", "a-b.example.com", "a.example.", "my_host"] {
            assert_eq!(host(text), Ok(()), "{text}");
        }
        for text in ["", "a:80", "http://a", "a b", "10.0.0.256", "a..b", "a/b"] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_are_absolute_and_clean() {
        for text in ["/", "/a/b.c~d", "/a%20b", "/é", "/a;b=c,d:@!$&'()*+{}|[]"] {
            assert_eq!(path(text), Ok(()), "{text}");
        }
        for text in ["", "a", "/a b", "/a?b", "/a#b", "/%2", "/%zz", "/a\\b"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
