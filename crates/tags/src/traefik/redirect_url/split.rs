//! The regex of a URL, taken apart into those of its scheme, its host and its path.

/// How regexes of URLs begin, and which schemes they mean.
const SCHEMES: [(&str, &[&str]); 12] = [
    ("https?", &["http", "https"]),
    ("http", &["http"]),
    ("https", &["https"]),
    ("(http)", &["http"]),
    ("(https)", &["https"]),
    ("(https?)", &["http", "https"]),
    ("(?:https?)", &["http", "https"]),
    ("(http|https)", &["http", "https"]),
    ("(?:http|https)", &["http", "https"]),
    ("http(s)?", &["http", "https"]),
    ("http(s?)", &["http", "https"]),
    ("http(?:s)?", &["http", "https"]),
];
/// How regexes allow for a port behind the host, which is not looked at here.
const PORTS: [&str; 6] =
    ["(?::[0-9]+)?", r"(?::\d+)?", "(:[0-9]+)?", r"(:\d+)?", r"(?::\d*)?", "(?::[0-9]*)?"];
/// What takes the rest of the URL, whatever it is.
const RESTS: [&str; 4] = ["(.*)", "(.+)", ".*", ".+"];

/// A regex of a URL, taken apart.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) scheme: String,
    pub(super) schemes: Vec<String>,
    pub(super) host: String,
    /// From the slash on; empty: the regex ends before it.
    tail: String,
    /// The last group takes the end of the host and all behind it.
    pub(super) spans_host_and_path: bool,
}

/// Whether the regex matches every URL as a whole.
pub(super) fn is_everything(pattern: &str) -> bool {
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    RESTS.contains(&bare.strip_suffix('$').unwrap_or(bare))
}

pub(super) fn split(pattern: &str) -> Result<Split, String> {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern).replace(r"\/", "/");
    let (scheme, rest) = pattern.split_once("://").ok_or("it does not begin with a scheme")?;
    let known = SCHEMES.iter().find(|(text, _)| *text == scheme);
    let (_, schemes) = known.ok_or_else(|| format!("its scheme {scheme:?} is none that is known"))?;
    let at = start_of_path(rest);
    let (host, tail) = rest.split_at(at);
    if has_question_mark(tail) {
        return Err("it looks at the query".to_owned());
    }
    let host = PORTS.iter().find_map(|port| host.strip_suffix(port)).unwrap_or(host);
    let mut split = Split {
        scheme: scheme.to_owned(),
        schemes: schemes.iter().map(|scheme| (*scheme).to_owned()).collect(),
        host: host.to_owned(),
        tail: tail.to_owned(),
        spans_host_and_path: false,
    };
    if tail.is_empty() {
        split.without_tail()?;
    }
    Ok(split)
}

/// Whether a `?` of the URL itself is asked for.
fn has_question_mark(tail: &str) -> bool {
    let mut escaped = false;
    tail.chars().any(|c| {
        let found = escaped && c == '?';
        escaped = !escaped && c == '\\';
        found
    })
}

/// Where the first slash is, or the bracket that it stands in.
fn start_of_path(rest: &str) -> usize {
    let (mut escaped, mut class) = (false, false);
    let mut opened: Vec<usize> = Vec::new();
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => opened.push(at),
            ')' if !class => {
                opened.pop();
            }
            '/' if !class => return opened.first().copied().unwrap_or(at),
            _ => {}
        }
    }
    rest.len()
}

impl Split {
    /// The last group of a regex without a slash goes on into the path.
    fn without_tail(&mut self) -> Result<(), String> {
        let host = self.host.strip_suffix('$').unwrap_or(&self.host);
        let spanning = RESTS[..2].iter().find_map(|rest| host.strip_suffix(rest));
        match spanning {
            Some(host) => {
                self.host = host.to_owned();
                "(/.*)$".clone_into(&mut self.tail);
                self.spans_host_and_path = true;
                Ok(())
            }
            None if self.host.ends_with('$') => {
                Err("it ends before the path, which every URL has".to_owned())
            }
            None => Ok(()),
        }
    }

    /// The host, where it is no pattern. A dot that is not escaped is taken for one that is meant.
    pub(super) fn literal_host(&self) -> Option<String> {
        if self.spans_host_and_path {
            return None;
        }
        let host = self.host.replace(r"\.", ".").replace(r"\-", "-");
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        Some(host.to_lowercase()).filter(|host| !host.is_empty() && host.chars().all(allowed))
    }

    /// The regex of the path.
    pub(super) fn path(&self) -> Option<String> {
        (!self.tail.is_empty()).then(|| format!("^{}", self.tail))
    }

    /// The path is one group: `/(.*)`, `(/.*)`.
    pub(super) fn takes_all_of_the_path(&self) -> bool {
        let tail = self.tail.strip_suffix('$').unwrap_or(&self.tail);
        ["/(.*)", "/(.+)", "(/.*)", "(/.+)", "(/.*)?"].contains(&tail)
    }

    /// What the regex matches goes on into the query.
    pub(super) fn takes_the_query(&self) -> bool {
        let tail = self.tail.strip_suffix('$').unwrap_or(&self.tail);
        tail.ends_with(".*")
            || tail.ends_with(".*)")
            || tail.ends_with(".+")
            || tail.ends_with(".+)")
            || tail.ends_with(".*)?")
    }
}
