//! The URL of a redirect, taken apart.

/// Its parts as written, `$host` and `$path` among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    /// None: that of the request.
    pub scheme: Option<Scheme>,
    /// Without its port; empty: that of the request.
    pub host: &'a str,
    /// The port.
    pub port: Option<u16>,
    /// May be empty, or `$path` alone.
    pub path: &'a str,
    /// The query, where it is not empty.
    pub query: Option<&'a str>,
}

/// Schemes of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl<'a> Url<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let text = text.split_once('#').map_or(text, |(text, _)| text);
        let (text, query) = text.split_once('?').map_or((text, None), |(text, query)| (text, Some(query)));
        let query = query.filter(|query| !query.is_empty());
        let (scheme, rest) = scheme(text)?;
        let Some(rest) = rest.strip_prefix("//") else {
            return Ok(Self { scheme, host: "", port: None, path: relative(scheme, rest)?, query });
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // `http://b.com$path`: there is no slash that ends the host.
        let (authority, path) = match authority.strip_suffix("$path") {
            Some(authority) => (authority, "$path"),
            None => (authority, path),
        };
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = port(authority)?;
        if host.is_empty() && scheme.is_some() {
            return Err("it has no host");
        }
        Ok(Self { scheme, host, port, path, query })
    }
}

fn scheme(text: &str) -> Result<(Option<Scheme>, &str), &'static str> {
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| !scheme.contains('/')) else {
        return Ok((None, text));
    };
    if scheme.eq_ignore_ascii_case("https") {
        Ok((Some(Scheme::Https), rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Ok((Some(Scheme::Http), rest))
    } else {
        Err("its scheme is neither http nor https")
    }
}

/// A path without a host in front.
fn relative(scheme: Option<Scheme>, path: &str) -> Result<&str, &'static str> {
    if scheme.is_none() && path.starts_with('/') { Ok(path) } else { Err("it is no absolute URL") }
}

fn port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let behind_brackets = authority.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = authority[behind_brackets..].rfind(':').map(|at| at + behind_brackets) else {
        return Ok((authority, None));
    };
    match &authority[colon + 1..] {
        "" => Ok((&authority[..colon], None)),
        port => Ok((&authority[..colon], Some(port.parse().map_err(|_| "its port is no number")?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart() {
        let url = |scheme, host, port, path, query| Ok(Url { scheme, host, port, path, query });
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        for (text, expected) in [
            ("https://$host$path", url(https, "$host", None, "$path", None)),
            ("HTTP://b.com:81/a?q#f", url(http, "b.com", Some(81), "/a", Some("q"))),
            ("http://b.com?q", url(http, "b.com", None, "", Some("q"))),
            ("http://u:p@b.com/?", url(http, "b.com", None, "/", None)),
            ("http://[::1]:81/$path", url(http, "[::1]", Some(81), "/$path", None)),
            ("http://[::1]/", url(http, "[::1]", None, "/", None)),
            ("//b.com/a:b", url(None, "b.com", None, "/a:b", None)),
            ("/a:b", url(None, "", None, "/a:b", None)),
            ("http://b.com:99999/", Err("its port is no number")),
        ] {
            assert_eq!(Url::parse(text), expected, "{text}");
        }
    }
}
