//! The host and the port of a URL, and nothing that could be a credential.

/// Why a text is no host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityError {
    /// What stands before an `@` may be a password: the text must not be repeated.
    Credential,
    /// It has not that form.
    Malformed,
}

/// The host, without brackets, and the port of `host`, `host:port`, `[::1]` and `[::1]:port`.
pub fn host_and_port(authority: &str, default_port: u16) -> Result<(&str, u16), AuthorityError> {
    if authority.contains('@') {
        return Err(AuthorityError::Credential);
    }
    let (host, port) = split(authority).ok_or(AuthorityError::Malformed)?;
    let port = port.map_or(Some(default_port), |port| port.parse().ok().filter(|port| *port > 0));
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#' | '%');
    if host.is_empty() || host.contains(is_odd) {
        return Err(AuthorityError::Malformed);
    }
    Ok((host, port.ok_or(AuthorityError::Malformed)?))
}

/// The text of the host, without brackets, and that of the port, if there is one; `None` if brackets are missing.
pub fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
        return Some((host, port));
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_ports() {
        for (text, expected) in [
            ("nomad.internal", ("nomad.internal", 7)),
            ("10.0.0.1:1234", ("10.0.0.1", 1234)),
            ("[::1]:1234", ("::1", 1234)),
            ("[::1]", ("::1", 7)),
        ] {
            assert_eq!(host_and_port(text, 7), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_not_the_form_is_refused() {
        for text in
            ["", ":4646", "host:", "host:0", "host:x", "::1", "[::1", "[::1]4646", "a b", "a/b", "a%2"]
        {
            assert_eq!(host_and_port(text, 7), Err(AuthorityError::Malformed), "{text}");
        }
    }

    #[test]
    fn what_may_be_a_credential_is_told_apart() {
        for text in ["hunter2@host", "a b@host:x"] {
            assert_eq!(host_and_port(text, 7), Err(AuthorityError::Credential), "{text}");
        }
    }
}
