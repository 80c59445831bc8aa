//! Hosts: which requests a tag's host takes, and before which other tags.
//!
//! fabio compares the whole Host header, in lower case and without the port of its listener's protocol: `a.com` takes `a.com`
//! and `a.com:80` from a plain connection, `a.com` and `a.com:443` over TLS, and `a.com:8080` from neither.

use super::glob;
use super::wire::literal;
use crate::router::{Priority, Rule};

/// Over which connections a router is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Plain,
    Tls,
}

impl Connection {
    /// The port that a host need not name.
    const fn port(self) -> &'static str {
        match self {
            Self::Plain => ":80",
            Self::Tls => ":443",
        }
    }
}

/// The one host that `host` stands for, without its port; `None`: a pattern, or any host.
pub(super) fn only(host: &str) -> Option<&str> {
    let (name, _) = split(host);
    (!name.is_empty() && !glob::is_pattern(host)).then_some(name)
}

/// Which requests `host` takes.
pub(super) fn rule(host: &str, connection: Connection, any_port: bool) -> Rule {
    if host.is_empty() {
        return Rule::everything();
    }
    let implied = connection.port();
    let host = host.strip_suffix(implied).unwrap_or(host);
    let (name, port) = split(host);
    let Ok(pattern) = glob::regex(name) else { return Rule::Or(Vec::new()) };
    let named = named(name, &pattern);
    let line = match port {
        Some(port) => format!("(?i)(?:{pattern}){}", literal(port)),
        None if any_port || name == "*" => return named,
        None => format!("(?i)(?:{pattern})(?:{implied})?"),
    };
    Rule::And(vec![named, Rule::HeaderLine { name: ":authority".to_owned(), pattern: line }])
}

/// Other ways to write the hosts that `host` takes, as far as fabio looks at them before it.
pub(super) fn superiors(host: &str, connection: Connection) -> Vec<String> {
    let port = connection.port();
    match host {
        "" => vec!["*".to_owned(), format!("*{port}")],
        host if split(host).1.is_some() => Vec::new(),
        host => vec![format!("{host}{port}")],
    }
}

/// The hosts that `host` is a superior of.
pub(super) fn inferiors(host: &str) -> Vec<String> {
    let ports = [Connection::Plain, Connection::Tls].map(Connection::port);
    let shorter = ports.iter().find_map(|port| host.strip_suffix(port));
    let none = matches!(shorter.unwrap_or(host), "*").then(String::new);
    shorter.map(str::to_owned).into_iter().chain(none).collect()
}

/// The host without its port.
fn named(name: &str, pattern: &str) -> Rule {
    match name.strip_prefix('*') {
        Some("") => Rule::everything(),
        Some(suffix) if suffix.starts_with('.') && !glob::is_pattern(suffix) => {
            Rule::HostSuffix(suffix.to_owned())
        }
        None if !glob::is_pattern(name) => Rule::Host(name.to_owned()),
        _ => Rule::HostRegexp(format!("^(?:{pattern})$")),
    }
}

/// `host` and `:port`.
fn split(host: &str) -> (&str, Option<&str>) {
    match host.rfind(':') {
        Some(colon) if colon + 1 < host.len() && host[colon + 1..].bytes().all(|b| b.is_ascii_digit()) => {
            (&host[..colon], Some(&host[colon..]))
        }
        _ => (host, None),
    }
}

/// Where tags without a host stand: behind all others.
const ANY_HOST: i64 = i64::MIN;

/// Where tags with a pattern stand: behind all that name a host, in whatever language.
const PATTERN: i64 = i64::MIN / 2;

/// Where tags with a host and a port stand: before those with the host alone.
const HOST_AND_PORT: i64 = 1 << 32;

/// fabio asks the tags of one host after the other, and the longest path of each first. Of the hosts that match a request, the
/// one that is larger when read backwards comes first, so `*.b.a.com` before `*.a.com`, and both before tags without one.
pub(super) fn priority(host: &str, path: &str) -> Priority {
    let length = i64::try_from(path.len().min(0xffff)).expect("sixteen bits");
    Priority(match only(host) {
        _ if host.is_empty() => ANY_HOST + length,
        None => PATTERN + backwards(host) + length,
        Some(name) if name.len() < host.len() => HOST_AND_PORT + length,
        // About as long as the rule in Traefik's language, so that routes of both keep to the more specific one.
        Some(name) => i64::try_from(name.len()).unwrap_or(i64::MAX / 2) + 24 + length,
    })
}

/// What counts of a pattern that is read backwards: how much of it is literal, then its next three characters.
fn backwards(host: &str) -> i64 {
    let (name, port) = split(host);
    let reversed: Vec<u8> = name.bytes().rev().chain(port.unwrap_or_default().bytes()).collect();
    let end = name.bytes().rev().take_while(|b| !b"*?[]{}\\".contains(b)).count();
    let next = reversed[end..].iter().copied().chain([0; 3]).take(3);
    let number = next.fold(i64::try_from(end.min(255)).expect("eight bits"), |number, byte| {
        (number << 8) | i64::from(byte)
    });
    number << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(rule: &Rule) -> Option<&str> {
        let Rule::And(parts) = rule else { return None };
        parts.iter().find_map(|part| match part {
            Rule::HeaderLine { pattern, .. } => Some(pattern.as_str()),
            _ => None,
        })
    }

    fn takes(host: &str, connection: Connection, authority: &str) -> bool {
        let rule = rule(host, connection, false);
        let pattern = line(&rule).expect("a condition on :authority");
        biplane_core::regex::check(pattern).expect("RE2 takes it");
        regex::Regex::new(&format!("^(?:{pattern})$")).expect("a regex").is_match(authority)
    }

    #[test]
    fn the_port_of_the_protocol_may_be_missing_or_not() {
        use Connection::{Plain, Tls};
        for (host, connection, taken, not) in [
            ("a.com", Plain, ["a.com", "A.com:80"], ["a.com:443", "a.com:8080"]),
            ("a.com", Tls, ["a.com", "a.com:443"], ["a.com:80", "aXcom"]),
            ("a.com:80", Plain, ["a.com", "a.com:80"], ["a.com:443", "a.com:8080"]),
            ("*.a.com", Plain, ["x.y.a.com", "x.a.com:80"], ["x.a.com:81", "a.com"]),
        ] {
            assert!(taken.iter().all(|text| takes(host, connection, text)), "{host}");
            assert!(!not.iter().any(|text| takes(host, connection, text)), "{host}");
        }
        assert!(takes("a.com:80", Tls, "a.com:80") && !takes("a.com:80", Tls, "a.com"));
        assert!(takes("a.com:8443", Tls, "a.com:8443") && !takes("a.com:8443", Tls, "a.com"));
    }

    #[test]
    fn hosts_are_named_as_narrowly_as_can_be() {
        let named = |host| match rule(host, Connection::Plain, true) {
            Rule::And(parts) if !parts.is_empty() => parts[0].clone(),
            rule => rule,
        };
        assert_eq!(named("a.com"), Rule::Host("a.com".to_owned()));
        assert_eq!(named("a.com:81"), Rule::Host("a.com".to_owned()));
        assert_eq!(named("*.a.com"), Rule::HostSuffix(".a.com".to_owned()));
        assert_eq!(named("a?.com"), Rule::HostRegexp("^(?:a.\\.com)$".to_owned()));
        for host in ["", "*", "*:80"] {
            assert_eq!(named(host), Rule::everything(), "{host}");
        }
        assert_eq!(only("a.com:80"), Some("a.com"));
        assert_eq!((only("*.com"), only("")), (None, None));
    }

    #[test]
    fn larger_hosts_come_first_and_then_longer_paths() {
        let order = [
            ("z.abc.com:80", "/"),
            ("z.abc.com", "/foo/"),
            ("z.abc.com", "/"),
            ("z*.abc.com", "/"),
            ("*.z.abc.com", "/"),
            ("*.abc.com", "/foo/bar"),
            ("*.abc.com", "/foo"),
            ("*.com", "/foo/bar/long"),
            ("*:80", "/"),
            ("*", "/foo"),
            ("", "/foo/bar"),
            ("", "/"),
        ];
        // `z*` and `*.z` match no host together; all others stand as fabio has them.
        for pair in order.windows(2).filter(|pair| !pair[0].0.starts_with("z*")) {
            let [first, second] = [pair[0], pair[1]].map(|(host, path)| priority(host, path));
            assert!(first > second, "{pair:?}");
        }
    }

    #[test]
    fn a_superior_has_the_inferior() {
        for host in ["", "*", "a.com", "*.a.com"] {
            for superior in
                [Connection::Plain, Connection::Tls].iter().flat_map(|each| superiors(host, *each))
            {
                assert!(inferiors(&superior).contains(&host.to_owned()), "{superior} {host}");
                assert!(priority(&superior, "/") > priority(host, "/long"), "{superior} {host}");
            }
        }
        assert!(superiors("a.com:80", Connection::Plain).is_empty() && inferiors("a.com").is_empty());
    }

    #[test]
    fn tags_without_one_host_stand_behind_other_languages() {
        assert!(priority("*.abc.com", "/").0 < 0 && priority("", "/").0 < 0);
        assert!((0..100).contains(&priority("abc.com", "/").0));
    }
}
