//! The text of one tag, taken apart as fabio does it: `urlprefix-host/path option=value flag`.
//!
//! What options mean is told by [`super::options`]. Here an error is only what fabio itself refuses: it then stays with
//! its last good table as a whole; here such a tag is left out alone.

use std::collections::BTreeMap;
use std::fmt;

use super::expand::expand;
use super::glob;
use super::problem::Problem;

/// A tag that fabio would take.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The host in lower case, with a port if the tag has one; a pattern, or empty: any host. `:1234` for a TCP port.
    pub host: String,
    /// The path that requests must start with; empty behind a TCP port.
    pub path: String,
    /// Where requests go.
    pub destination: Destination,
    /// The fixed share of each instance; 0 or less: an equal part of what others leave.
    pub weight: f64,
    /// All options but `weight`, the last of equal ones; `redirect` holds its code only.
    pub options: BTreeMap<String, String>,
    /// What is to be said about it.
    pub problems: Vec<Problem>,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To the instance.
    Instance(Protocol),
    /// To the URL of a redirect, as written.
    Url(String),
}

/// What an instance speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP
    #[default]
    Http,
    /// HTTP over TLS
    Https,
    /// Anything over TCP
    Tcp,
    /// gRPC
    Grpc,
    /// gRPC over TLS
    Grpcs,
}

impl Protocol {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "https" => Self::Https,
            "tcp" => Self::Tcp,
            "grpc" => Self::Grpc,
            "grpcs" => Self::Grpcs,
            _ => return None,
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
        })
    }
}

/// Reads a tag; `None`: it is not one of fabio's.
pub fn parse(text: &str, prefix: &str, variables: &BTreeMap<String, String>) -> Option<Result<Tag, Problem>> {
    let text = text.trim().strip_prefix(prefix)?.trim();
    let (route, options) = text.split_once(' ').unwrap_or((text, ""));
    Some(whole(route, options, variables))
}

fn whole(route: &str, options: &str, variables: &BTreeMap<String, String>) -> Result<Tag, Problem> {
    let (host, path) = host_and_path(route, variables);
    let written = format!("{host}{path}");
    if written.is_empty() {
        return Err(refused("it names neither a host nor a path", "write urlprefix-/ for every request"));
    }
    if written.contains(char::is_whitespace) {
        return Err(refused("white space other than blanks cannot stand in it", "write blanks"));
    }
    if options.contains('"') {
        return Err(refused("a quotation mark cannot stand in options", "options are not quoted"));
    }
    for (what, text) in [("host", &host), ("path", &path)] {
        glob::regex(text).map_err(|why| {
            refused(
                &format!("the {what} is not a pattern that fabio takes: {why}"),
                "fabio refuses its whole table",
            )
        })?;
    }
    let tag = Tag {
        host,
        path,
        destination: Destination::Instance(Protocol::Http),
        weight: 0.0,
        options: BTreeMap::new(),
        problems: Vec::new(),
    };
    options.split_whitespace().try_fold(tag, option)
}

fn refused(message: &str, hint: &str) -> Problem {
    Problem::error(format!("fabio does not take this tag: {message}"), hint)
}

/// Names of variables count only in front of and behind a `/`: fabio takes a tag without one as it is.
fn host_and_path(route: &str, variables: &BTreeMap<String, String>) -> (String, String) {
    if route.starts_with(':') {
        return (route.to_lowercase(), String::new());
    }
    match route.split_once('/') {
        Some((host, path)) => {
            (expand(host, variables).to_lowercase(), format!("/{}", expand(path, variables)))
        }
        None if route.is_empty() => (String::new(), String::new()),
        None => (route.to_lowercase(), "/".to_owned()),
    }
}

/// The tag with one more option. The last of `proto` and `redirect` says where requests go.
fn option(mut tag: Tag, option: &str) -> Result<Tag, Problem> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    match name {
        "weight" if option.contains('=') => {
            tag.weight = weight(value)?;
            return Ok(tag);
        }
        "redirect" if option.contains('=') => return redirect(tag, value),
        "proto" => {
            if let Some(protocol) = Protocol::of(value) {
                tag.destination = Destination::Instance(protocol);
            }
        }
        _ => {}
    }
    tag.options.insert(name.to_owned(), value.to_owned());
    Ok(tag)
}

fn weight(value: &str) -> Result<f64, Problem> {
    let number = if value.is_empty() { Ok(0.0) } else { value.parse() };
    match number {
        Ok(number) if f64::is_finite(number) => Ok(number),
        _ => Err(refused(&format!("weight={value} is not a number"), "write a share such as weight=0.25")),
    }
}

/// `code,url`; without exactly one comma fabio goes on without it.
fn redirect(mut tag: Tag, value: &str) -> Result<Tag, Problem> {
    match value.split(',').collect::<Vec<_>>()[..] {
        [_, ""] => {
            return Err(refused("the redirect has no URL", "write redirect=301,https://example.com/$path"));
        }
        [code, url] => {
            tag.destination = Destination::Url(url.to_owned());
            tag.options.insert("redirect".to_owned(), code.to_owned());
        }
        _ => tag.problems.push(Problem::error(
            format!("redirect={value} is not a code and a URL, so requests go to the service"),
            "write redirect=301,https://example.com/$path; a comma cannot stand in the URL",
        )),
    }
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tag {
        let variables = [("DC".to_owned(), "Dc1".to_owned())].into();
        parse(text, "urlprefix-", &variables).expect("a tag of fabio's").expect("one that is taken")
    }

    fn refusal(text: &str) -> String {
        parse(text, "urlprefix-", &BTreeMap::new()).expect("a tag of fabio's").expect_err(text).message
    }

    fn route(text: &str) -> (String, String) {
        let tag = read(text);
        (tag.host, tag.path)
    }

    fn pair(host: &str, path: &str) -> (String, String) {
        (host.to_owned(), path.to_owned())
    }

    #[test]
    fn other_tags_are_left_to_others() {
        for text in ["", "urlprefix", "x-urlprefix-/", "traefik.enable=true"] {
            assert_eq!(parse(text, "urlprefix-", &BTreeMap::new()), None, "{text}");
        }
    }

    #[test]
    fn hosts_are_lowered_and_paths_kept() {
        assert_eq!(route("urlprefix-Shop.Example.com/Cart"), pair("shop.example.com", "/Cart"));
        assert_eq!(route("urlprefix-/a/b"), pair("", "/a/b"));
        assert_eq!(route("urlprefix-shop.example.com"), pair("shop.example.com", "/"));
        assert_eq!(route("urlprefix-shop.example.com:8443/"), pair("shop.example.com:8443", "/"));
        assert_eq!(route("urlprefix-:5432 proto=tcp"), pair(":5432", ""));
    }

    #[test]
    fn blanks_around_a_tag_and_its_route_do_not_count() {
        for text in ["  urlprefix-a/b", "urlprefix-a/b  ", "urlprefix-  a/b", " urlprefix- a/b "] {
            assert_eq!(route(text), pair("a", "/b"), "{text:?}");
        }
    }

    #[test]
    fn variables_count_where_there_is_a_slash() {
        assert_eq!(route("urlprefix-${DC}.example.com/$DC"), pair("dc1.example.com", "/Dc1"));
        assert_eq!(route("urlprefix-$DC.example.com"), pair("$dc.example.com", "/"));
    }

    #[test]
    fn the_last_of_equal_options_counts() {
        let tag = read("urlprefix-/ strip=/a flag  strip=/b\tx=y=z");
        let options = [("flag", ""), ("strip", "/b"), ("x", "y=z")];
        assert_eq!(tag.options, options.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn the_last_of_proto_and_redirect_says_where_requests_go() {
        let to = |text: &str| read(text).destination;
        assert_eq!(to("urlprefix-/ proto=grpcs"), Destination::Instance(Protocol::Grpcs));
        assert_eq!(to("urlprefix-/ proto=quic"), Destination::Instance(Protocol::Http));
        let url = Destination::Url("https://b/".to_owned());
        assert_eq!(to("urlprefix-/ proto=https redirect=302,https://b/"), url);
        let instance = Destination::Instance(Protocol::Https);
        assert_eq!(to("urlprefix-/ redirect=302,https://b/ proto=https"), instance);
    }

    #[test]
    fn a_redirect_without_one_comma_is_reported_and_forgotten() {
        for text in ["urlprefix-/ redirect=301", "urlprefix-/ redirect=301,https://a,b"] {
            let tag = read(text);
            assert_eq!(tag.destination, Destination::Instance(Protocol::Http), "{text}");
            assert!(tag.options.is_empty() && tag.problems.len() == 1, "{text}");
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "parsed, not computed")]
    fn weights_are_numbers() {
        assert_eq!(read("urlprefix-/ weight=0.25").weight, 0.25);
        assert_eq!(read("urlprefix-/ weight=-1").weight, -1.0);
        assert_eq!(read("urlprefix-/ weight=").weight, 0.0);
        assert_eq!(read("urlprefix-/").weight, 0.0);
        for value in ["a", "inf", "NaN", "10%"] {
            assert!(refusal(&format!("urlprefix-/ weight={value}")).contains(value), "{value}");
        }
    }

    #[test]
    fn what_fabio_cannot_read_is_refused_with_why() {
        for (text, why) in [
            ("urlprefix-", "neither a host nor a path"),
            ("urlprefix-  ", "neither a host nor a path"),
            ("urlprefix-a/b\tstrip=/b", "white space"),
            ("urlprefix-/ strip=\"/a\"", "quotation mark"),
            ("urlprefix-/ redirect=301,", "no URL"),
            ("urlprefix-[a/", "the host"),
            ("urlprefix-a/{b", "the path"),
        ] {
            assert!(refusal(text).contains(why), "{text:?}: {}", refusal(text));
        }
    }
}
