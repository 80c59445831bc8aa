//! `redirect=code,url`: where clients are sent, with `$host` and `$path` of the request in it.

mod url;

use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::wire::{absolute, encoded, literal, substitution};
use crate::router::Rule;
use url::{Scheme, Url};

/// A redirect that Envoy can send.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Redirect {
    /// The fields of core's `RedirectAction`.
    pub action: Map<String, Value>,
    /// The URL is one of plain HTTP.
    pub to_plain: bool,
    /// Requests that would be sent to where they are already. They are not for this route.
    pub same: Option<Rule>,
    /// What is not as the tag has it.
    pub problems: Vec<Problem>,
}

/// What is put into the URL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// The host that the route is for, if it is just one.
    pub host: Option<&'a str>,
    /// Taken from the front of `$path`.
    pub strip: &'a str,
    /// Put in front of it.
    pub prepend: &'a str,
}

/// The redirect to `url`; an error where it cannot be sent at all.
pub(super) fn read(code: u16, url: &str, parts: Parts<'_>) -> Result<Redirect, Problem> {
    let url = Url::parse(url).map_err(|why| {
        Problem::error(format!("the redirect to {url:?} cannot be sent: {why}"), "write https://$host/$path")
    })?;
    let to_plain = url.scheme == Some(Scheme::Http);
    let mut redirect = Redirect { action: Map::new(), to_plain, same: None, problems: Vec::new() };
    redirect.code(code);
    if url.scheme == Some(Scheme::Https) {
        redirect.set("httpsRedirect", json!(true));
    }
    let host = redirect.host(&url, parts.host)?;
    let path = redirect.path(&url, parts);
    redirect.same = same(&url, host, path);
    Ok(redirect)
}

/// Which requests have a part of the URL already.
enum Already {
    /// All of them.
    Every,
    /// Those that this holds for.
    Some(Rule),
    /// None of them.
    Never,
}

/// A redirect to the same scheme, host and path would never end where something in front takes TLS off. fabio goes on to
/// the next host then, and compares the scheme with `X-Forwarded-Proto`.
fn same(url: &Url<'_>, host: Already, path: Already) -> Option<Rule> {
    let scheme = url.scheme?.as_str();
    let scheme = Rule::Header { name: "x-forwarded-proto".to_owned(), value: scheme.to_owned() };
    let mut rules = vec![scheme];
    for part in [host, path] {
        match part {
            Already::Every => {}
            Already::Some(rule) => rules.push(rule),
            Already::Never => return None,
        }
    }
    Some(Rule::And(rules))
}

impl Redirect {
    fn set(&mut self, field: &str, value: Value) {
        self.action.insert(field.to_owned(), value);
    }

    fn code(&mut self, code: u16) {
        let name = match code {
            301 => "MOVED_PERMANENTLY",
            302 => "FOUND",
            303 => "SEE_OTHER",
            307 => "TEMPORARY_REDIRECT",
            308 => "PERMANENT_REDIRECT",
            _ => {
                self.problems.push(Problem::warning(
                    format!("Envoy does not redirect with {code}, so the answer is 302"),
                    "write one of 301, 302, 303, 307 and 308",
                ));
                "FOUND"
            }
        };
        self.set("responseCode", json!(name));
    }

    fn host(&mut self, url: &Url<'_>, of_route: Option<&str>) -> Result<Already, Problem> {
        if let Some(port) = url.port {
            self.set("portRedirect", json!(port));
        }
        if url.host.is_empty() || url.host == "$host" {
            return Ok(if url.port.is_some() { Already::Never } else { Already::Every });
        }
        let host = if url.host.contains("$host") {
            let host = of_route.ok_or_else(|| {
                let message = format!("Envoy cannot make {:?} of the host of each request", url.host);
                Problem::error(message, "write a tag for each host, or $host alone")
            })?;
            url.host.replacen("$host", host, 1)
        } else {
            url.host.to_owned()
        };
        self.set("hostRedirect", json!(host));
        let authority = url.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Ok(Already::Some(Rule::Header { name: ":authority".to_owned(), value: authority }))
    }

    fn path(&mut self, url: &Url<'_>, parts: Parts<'_>) -> Already {
        match url.path.split_once("$path") {
            Some((front, back)) => self.path_of_request(url, front, back, parts),
            None => self.fixed_path(url),
        }
    }

    fn fixed_path(&mut self, url: &Url<'_>) -> Already {
        let path = absolute(url.path);
        let full = url.query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        self.set("pathRedirect", json!(full));
        if url.query.is_none() {
            self.set("stripQuery", json!(true));
        }
        Already::Some(Rule::Path(path))
    }

    fn path_of_request(&mut self, url: &Url<'_>, front: &str, back: &str, parts: Parts<'_>) -> Already {
        if url.query.is_some() {
            self.problems.push(Problem::warning(
                "Envoy takes either the path of the request or the query of the redirect, so clients keep their own query",
                "write the redirect without ?, or without $path",
            ));
        }
        // The slash in front is the path's own.
        let front = format!("{}{}", front.strip_suffix('/').unwrap_or(front), encoded(parts.prepend));
        if front.is_empty() && back.is_empty() && parts.strip.is_empty() {
            return Already::Every;
        }
        let strip = literal(&encoded(parts.strip));
        let (pattern, front) = if front.is_empty() {
            (format!("^(?:{strip}/?|/)(.*)$"), "/".to_owned())
        } else {
            (format!("^(?:{strip})?(.*)$"), absolute(&front))
        };
        let rewrite = json!({
            "pattern": { "regex": pattern },
            "substitution": format!("{}\\1{}", substitution(&front), substitution(back)),
        });
        self.set("regexRewrite", rewrite);
        Already::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Parts<'_> = Parts { host: None, strip: "", prepend: "" };

    fn action(url: &str, parts: Parts<'_>) -> Value {
        let mut action = read(301, url, parts).expect(url).action;
        action.remove("responseCode");
        Value::Object(action)
    }

    #[test]
    fn a_fixed_url_takes_the_place_of_path_and_query() {
        let expected = json!({ "hostRedirect": "b.com", "pathRedirect": "/x", "stripQuery": true });
        assert_eq!(action("http://b.com/x", NOTHING), expected);
        let expected = json!({ "httpsRedirect": true, "pathRedirect": "/", "stripQuery": true });
        assert_eq!(action("https://$host", NOTHING), expected);
        let expected = json!({ "hostRedirect": "b.com", "pathRedirect": "/?a=b" });
        assert_eq!(action("http://b.com/?a=b#c", NOTHING), expected);
    }

    #[test]
    fn the_path_of_the_request_is_kept() {
        let expected = json!({ "httpsRedirect": true, "portRedirect": 8443 });
        assert_eq!(action("https://$host:8443/$path", NOTHING), expected);
        for url in ["https://$host$path", "https://$host/$path"] {
            assert_eq!(action(url, NOTHING), json!({ "httpsRedirect": true }), "{url}");
        }
    }

    /// The path that Envoy sends for a request.
    fn sent(url: &str, parts: Parts<'_>, path: &str) -> String {
        let action = action(url, parts);
        let regex = action["regexRewrite"]["pattern"]["regex"].as_str().expect("a regex").to_owned();
        biplane_core::regex::check(&regex).expect("RE2 takes it");
        let substitution =
            action["regexRewrite"]["substitution"].as_str().expect("text").replace("\\1", "${1}");
        let regex = regex::Regex::new(&regex).expect("a regex");
        regex.replace_all(path, substitution.as_str()).into_owned()
    }

    #[test]
    fn the_path_of_the_request_stands_where_it_is_asked_for() {
        let strip = Parts { strip: "/old", ..NOTHING };
        let both = Parts { strip: "/old", prepend: "/p", ..NOTHING };
        for (url, parts, path, expected) in [
            ("http://b/new/$path", NOTHING, "/a/b", "/new/a/b"),
            ("http://b/new$path/end", NOTHING, "/a", "/new/a/end"),
            ("http://b/$path", strip, "/old/a", "/a"),
            ("http://b/$path", strip, "/old", "/"),
            ("http://b/$path", strip, "/older", "/er"),
            ("http://b/$path", strip, "/other", "/other"),
            ("http://b/new$path", strip, "/old", "/new"),
            ("http://b/new$path", strip, "/old/a", "/new/a"),
            ("http://b/$path", both, "/old/a", "/p/a"),
            ("http://b/new/$path", both, "/a", "/new/p/a"),
        ] {
            assert_eq!(sent(url, parts, path), expected, "{url} {path}");
        }
    }

    #[test]
    fn a_part_of_a_host_needs_a_route_of_one_host() {
        let parts = Parts { host: Some("a.com"), ..NOTHING };
        let expected = json!({ "hostRedirect": "www.a.com", "httpsRedirect": true });
        assert_eq!(action("https://www.$host/$path", parts), expected);
        assert!(read(301, "https://www.$host/", NOTHING).is_err());
    }

    #[test]
    fn what_is_already_there_is_not_sent_there() {
        let same = |url: &str| read(301, url, NOTHING).expect(url).same;
        let scheme = Rule::Header { name: "x-forwarded-proto".to_owned(), value: "https".to_owned() };
        assert_eq!(same("https://$host$path"), Some(Rule::And(vec![scheme.clone()])));
        let root = Rule::Path("/".to_owned());
        assert_eq!(same("https://$host/"), Some(Rule::And(vec![scheme.clone(), root.clone()])));
        let host = Rule::Header { name: ":authority".to_owned(), value: "b.com".to_owned() };
        assert_eq!(same("https://b.com/"), Some(Rule::And(vec![scheme, host, root])));
        for url in ["https://$host:8443$path", "https://$host/new$path", "/new"] {
            assert_eq!(same(url), None, "{url}");
        }
    }

    #[test]
    fn other_codes_are_sent_as_302_and_said() {
        let redirect = read(300, "/new", NOTHING).expect("a redirect");
        assert_eq!((&redirect.action["responseCode"], redirect.problems.len()), (&json!("FOUND"), 1));
        assert!(read(308, "/new", NOTHING).expect("a redirect").problems.is_empty());
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["", "ftp://a/", "https://a:b/", "mailto:a@b", "new", "https:///x"] {
            assert!(read(301, url, NOTHING).is_err(), "{url}");
        }
    }
}
