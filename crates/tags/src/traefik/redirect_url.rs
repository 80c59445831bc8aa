//! `redirectRegex`: a regex over the whole URL and what replaces it, as redirects of Envoy's.
//!
//! Envoy knows the host and the port of a redirect beforehand, and rewrites the path alone. So the regex is taken apart
//! into scheme, host and path; scheme and host are worked out for each host that the rule names, and what is left of
//! the regex is the path's. What cannot be taken apart is refused.

mod split;

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::go_regex::{self, Piece};
use crate::router::Rule;
use split::Split;

/// One redirect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Redirect {
    pub(crate) when: Rule,
    /// The fields of core's `RedirectAction`, without the status.
    pub(crate) action: Map<String, Value>,
}

/// The redirects of a regex and a replacement, for a rule that names `hosts`.
pub(crate) fn build(
    pattern: &str,
    replacement: &str,
    hosts: &BTreeSet<String>,
) -> Result<Vec<Redirect>, String> {
    let pieces = go_regex::pieces(pattern, replacement)?;
    if split::is_everything(pattern) {
        return everything(&pieces).map(|redirect| vec![redirect]);
    }
    let split = split::split(pattern)?;
    let own: BTreeSet<String>;
    let hosts = match split.literal_host() {
        Some(host) => {
            own = [host].into();
            &own
        }
        None if hosts.is_empty() => {
            return Err("its host is a pattern, and the rule names no host".to_owned());
        }
        None => hosts,
    };
    let mut redirects = Vec::new();
    for host in hosts {
        for scheme in &split.schemes {
            redirects.extend(of_host(&split, &pieces, scheme, host)?);
        }
    }
    Ok(redirects)
}

/// All URLs go to one.
fn everything(pieces: &[Piece]) -> Result<Redirect, String> {
    let target = Target::parse(pieces)?;
    let Some(authority) = &target.authority else { return Err("its replacement is no URL".to_owned()) };
    let path = match target.path.as_slice() {
        [] => "/".to_owned(),
        [Piece::Text(path)] => path.clone(),
        _ => return Err("its replacement takes over a part of the URL".to_owned()),
    };
    let mut action = authority.action(None)?;
    action.insert("pathRedirect".to_owned(), json!(path));
    action.insert("stripQuery".to_owned(), json!(true));
    let scheme = Rule::Header { name: ":scheme".to_owned(), value: authority.scheme.clone() };
    let there = Rule::And(vec![scheme, Rule::Host(authority.host.clone()), Rule::Path(path)]);
    Ok(Redirect { when: there.negated(), action })
}

/// The redirect of requests for `host` by `scheme`; none where they would be sent to where they are.
fn of_host(split: &Split, pieces: &[Piece], scheme: &str, host: &str) -> Result<Option<Redirect>, String> {
    let Some(pieces) = known(split, pieces, scheme, host)? else { return Ok(None) };
    let target = Target::parse(&pieces)?;
    let path = split.path();
    let keeps_path = path.is_none() || split.takes_all_of_the_path() && target.path_is_kept();
    let stays = target
        .authority
        .as_ref()
        .is_none_or(|to| to.scheme == scheme && to.host == host && to.port.is_none());
    if keeps_path && stays {
        return Ok(None);
    }
    let mut action =
        target.authority.as_ref().map_or_else(|| Ok(Map::new()), |to| to.action(Some(scheme)))?;
    if let Some(path) = &path
        && !keeps_path
    {
        let substitution = target.substitution()?;
        action.insert(
            "regexRewrite".to_owned(),
            json!({"pattern": {"regex": path}, "substitution": substitution}),
        );
        if split.takes_the_query() && !target.ends_with_a_group() {
            action.insert("stripQuery".to_owned(), json!(true));
        }
    }
    let mut when = vec![
        Rule::Host(host.to_owned()),
        Rule::Header { name: ":scheme".to_owned(), value: scheme.to_owned() },
    ];
    when.extend(path.map(Rule::PathRegexp));
    Ok(Some(Redirect { when: Rule::And(when), action }))
}

/// The pieces with what is known of scheme and host put in; groups that are left are those of the path. `None`: the
/// regex does not match this host.
fn known(split: &Split, pieces: &[Piece], scheme: &str, host: &str) -> Result<Option<Vec<Piece>>, String> {
    let compile = |text: &str| Regex::new(text).map_err(|_| format!("{text:?} cannot be used here"));
    let in_scheme = compile(&format!("^(?:{})$", split.scheme))?;
    let whole = if split.spans_host_and_path { "" } else { "$" };
    let in_host = compile(&format!("^(?:{}){whole}", split.host))?;
    let (Some(scheme), Some(in_host)) = (in_scheme.captures(scheme), in_host.captures(host)) else {
        return Ok(None);
    };
    let rest = &host[in_host.get(0).map_or(0, |all| all.end())..];
    let (schemes, hosts) = (scheme.len() - 1, in_host.len() - 1);
    let mut known = Vec::new();
    for piece in pieces {
        let Piece::Group(group) = piece else {
            known.push(piece.clone());
            continue;
        };
        let text = |captures: &regex::Captures<'_>, at: usize| {
            Piece::Text(captures.get(at).map_or_else(String::new, |found| found.as_str().to_owned()))
        };
        match *group {
            0 => return Err("its replacement takes over the whole URL".to_owned()),
            group if group <= schemes => known.push(text(&scheme, group)),
            group if group <= schemes + hosts => known.push(text(&in_host, group - schemes)),
            group => {
                if !rest.is_empty() {
                    known.push(Piece::Text(rest.to_owned()));
                }
                known.push(Piece::Group(group - schemes - hosts));
            }
        }
    }
    Ok(Some(known))
}

/// Where to, taken apart.
struct Target {
    /// `None`: the host stays.
    authority: Option<Authority>,
    path: Vec<Piece>,
}

struct Authority {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Target {
    fn parse(pieces: &[Piece]) -> Result<Self, String> {
        let known: Vec<&Piece> = pieces.iter().take_while(|piece| matches!(piece, Piece::Text(_))).collect();
        let behind = pieces[known.len()..].to_vec();
        let start: String = known
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Group(_) => "",
            })
            .collect();
        let (authority, path) = match start.split_once("://") {
            Some((scheme, rest)) => {
                let at = rest.find('/').unwrap_or(rest.len());
                (Some(Authority::parse(scheme, &rest[..at])?), rest[at..].to_owned())
            }
            None if start.starts_with('/') => (None, start),
            None => return Err("the host of its replacement is not known beforehand".to_owned()),
        };
        let path = Some(Piece::Text(path)).filter(|piece| *piece != Piece::Text(String::new()));
        let path: Vec<Piece> = path.into_iter().chain(behind).collect();
        if path.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains(['?', '#']))) {
            return Err("its replacement has a query of its own".to_owned());
        }
        Ok(Self { authority, path })
    }

    fn substitution(&self) -> Result<String, String> {
        let one = |piece: &Piece| match piece {
            Piece::Text(text) => Ok(go_regex::literal(text)),
            Piece::Group(number @ 1..=9) => Ok(format!("\\{number}")),
            Piece::Group(number) => Err(format!("its replacement has group {number}, Envoy knows nine")),
        };
        let substitution: String = self.path.iter().map(one).collect::<Result<_, _>>()?;
        Ok(if substitution.is_empty() { "/".to_owned() } else { substitution })
    }

    /// `/$1` or `$1`.
    fn path_is_kept(&self) -> bool {
        match self.path.as_slice() {
            [Piece::Group(1)] => true,
            [Piece::Text(slash), Piece::Group(1)] => slash == "/",
            _ => false,
        }
    }

    fn ends_with_a_group(&self) -> bool {
        matches!(self.path.last(), Some(Piece::Group(_)))
    }
}

impl Authority {
    fn parse(scheme: &str, text: &str) -> Result<Self, String> {
        if !["http", "https"].contains(&scheme) {
            return Err(format!("it leads to {scheme}, which is neither http nor https"));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| format!("{port:?} is no port"))?)),
            None => (text, None),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || !host.chars().all(allowed) {
            return Err(format!("{host:?} is no host"));
        }
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = port.filter(|port| *port != usual);
        Ok(Self { scheme: scheme.to_owned(), host: host.to_lowercase(), port })
    }

    /// The fields that lead there from a request by `from`, where that is known.
    fn action(&self, from: Option<&str>) -> Result<Map<String, Value>, String> {
        let mut action = Map::new();
        action.insert("hostRedirect".to_owned(), json!(self.host));
        match (self.scheme.as_str(), from) {
            ("https", _) => {
                action.insert("httpsRedirect".to_owned(), json!(true));
            }
            (_, Some("http")) => {}
            _ => return Err("it leads from https to http".to_owned()),
        }
        if let Some(port) = self.port {
            action.insert("portRedirect".to_owned(), json!(port));
        }
        Ok(action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirects(pattern: &str, replacement: &str, hosts: &[&str]) -> Vec<(String, Value)> {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let built = build(pattern, replacement, &hosts).unwrap_or_else(|why| panic!("{pattern}: {why}"));
        let scheme = |rule: &Rule| match rule {
            Rule::And(rules) => rules.iter().find_map(|rule| match rule {
                Rule::Header { value, .. } => Some(value.clone()),
                _ => None,
            }),
            _ => None,
        };
        built
            .into_iter()
            .map(|one| (scheme(&one.when).unwrap_or_default(), Value::Object(one.action)))
            .collect()
    }

    #[test]
    fn another_host_keeps_path_and_query() {
        let found = redirects(r"^https?://www\.shop\.example/(.*)", "https://shop.example/${1}", &[]);
        let action = json!({"hostRedirect": "shop.example", "httpsRedirect": true});
        assert_eq!(found, [("http".to_owned(), action.clone()), ("https".to_owned(), action)]);
    }

    #[test]
    fn a_pattern_of_the_host_is_worked_out_for_the_hosts_of_the_rule() {
        let pattern = r"^https?://(?:www\.)?(.+)";
        let found = redirects(pattern, "https://${1}", &["shop.example", "www.shop.example"]);
        let action = json!({"hostRedirect": "shop.example", "httpsRedirect": true});
        // Who is there by https already stays.
        let schemes: Vec<_> = found.iter().map(|(scheme, _)| scheme.as_str()).collect();
        assert_eq!(schemes, ["http", "http", "https"]);
        assert!(found.iter().all(|(_, one)| *one == action), "{found:?}");
        assert!(build(pattern, "https://${1}", &BTreeSet::new()).unwrap_err().contains("names no host"));
    }

    #[test]
    fn paths_are_rewritten_by_what_is_left_of_the_regex() {
        let found = redirects(r"^(https)://a\.example/old/([0-9]+)/(.*)$", "$1://a.example/new/$3", &[]);
        let rewrite = json!({"pattern": {"regex": "^/old/([0-9]+)/(.*)$"}, "substitution": r"/new/\2"});
        let action = json!({"hostRedirect": "a.example", "httpsRedirect": true, "regexRewrite": rewrite});
        assert_eq!(found, [("https".to_owned(), action)]);
    }

    #[test]
    fn a_constant_target_drops_path_and_query() {
        let rewrite = json!({"pattern": {"regex": "^/.*"}, "substitution": "/moved"});
        let action = json!({"hostRedirect": "b.example", "regexRewrite": rewrite, "stripQuery": true});
        assert_eq!(
            redirects("^http://a.example/.*", "http://b.example/moved", &[]),
            [("http".to_owned(), action)]
        );
        let action = json!({
            "hostRedirect": "b.example", "httpsRedirect": true, "portRedirect": 8443, "pathRedirect": "/", "stripQuery": true,
        });
        assert_eq!(redirects(".*", "https://b.example:8443", &[]), [(String::new(), action)]);
    }

    #[test]
    fn what_envoy_cannot_do_is_refused() {
        for (pattern, replacement, part) in [
            ("^/old", "/new", "does not begin with a scheme"),
            ("^ftp://a/(.*)", "https://a/$1", "none that is known"),
            ("^https://a/(.*)", "http://a/$1", "from https to http"),
            ("^https?://a/(.*)", "https://$1", "no host"),
            ("^https?://a/(.*)", "$0", "whole URL"),
            ("^https?://a/(.*)", "https://b/?x=$1", "a query of its own"),
            (r"^https?://a/\?x=(.*)", "https://b/$1", "looks at the query"),
            ("^https?://a$", "https://b", "ends before the path"),
            ("(", "x", "no regex"),
        ] {
            let error = build(pattern, replacement, &BTreeSet::new()).expect_err(pattern);
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }
}
