//! What stands behind the question mark of a URL: names that are known, each with a value.

use std::collections::BTreeMap;
use std::path::PathBuf;

use biplane_source::SourceError;

/// The parameters that a URL may have.
const KNOWN: [&str; 20] = [
    "name",
    "required",
    "namespaces",
    "region",
    "tokenFile",
    "auth",
    "caFile",
    "caPath",
    "certFile",
    "keyFile",
    "tlsServerName",
    "insecure",
    "refresh",
    "checkInterval",
    "timeout",
    "maxRequests",
    "checksPerSecond",
    "page",
    "retryMax",
    "confirm",
];

/// What people put into URLs though everybody sees it, and where it belongs.
const SECRETS: [(&str, &str); 2] =
    [("token", "tokenFile=FILE, or NOMAD_TOKEN"), ("identity", "auth=identity, inside a task of Nomad")];

/// As long as a name may be to be repeated: a token without a name in front of it is longer.
const SHOWN_MAX: usize = 20;

/// The parameters that are not used yet.
#[derive(Debug)]
pub(super) struct Parameters {
    values: BTreeMap<&'static str, String>,
}

impl Parameters {
    pub(super) fn parse(query: &str) -> Result<Self, SourceError> {
        let mut values = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known(name)?;
            if value.is_empty() {
                return Err(wrong(&format!("its parameter {name} has no value")));
            }
            if values.insert(name, decode(value)?).is_some() {
                return Err(wrong(&format!("it has the parameter {name} twice")));
            }
        }
        Ok(Self { values })
    }

    /// The value, once.
    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        debug_assert!(KNOWN.contains(&name), "{name} is in the list");
        self.values.remove(name)
    }

    /// The value as a path.
    pub(super) fn take_path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.take(name).map(PathBuf::from)
    }
}

fn known(name: &str) -> Result<&'static str, SourceError> {
    if let Some(known) = KNOWN.into_iter().find(|known| *known == name) {
        return Ok(known);
    }
    if let Some((name, place)) = SECRETS.into_iter().find(|(secret, _)| *secret == name) {
        return Err(wrong(&format!("a {name} does not belong in it: everybody who lists processes sees it"))
            .hint(place));
    }
    if name.len() > SHOWN_MAX || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(wrong("it has something in it that is no parameter").hint(list()));
    }
    let error = wrong(&format!("it has an unknown parameter {name:?}"));
    let near = |known: &&str| strsim::jaro_winkler(name, known);
    match KNOWN.into_iter().max_by(|a, b| near(a).total_cmp(&near(b))) {
        Some(known) if near(&known) > 0.75 => Err(error.hint(format!("did you mean {known}?"))),
        _ => Err(error.hint(list())),
    }
}

fn list() -> String {
    format!("the parameters are {}", KNOWN.join(", "))
}

/// The text behind percent signs.
fn decode(text: &str) -> Result<String, SourceError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => (hex(*high, *low)?, tail),
            (b'%', _) => return Err(wrong("a % in it is not followed by two digits")),
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))
}

fn hex(high: u8, low: u8) -> Result<u8, SourceError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (Some(high), Some(low)) = (digit(high), digit(low)) else {
        return Err(wrong("a % in it is not followed by two digits"));
    };
    Ok(high << 4 | low)
}

/// The URL may hold what should not be in it, so it is not repeated.
pub(super) fn wrong(what: &str) -> SourceError {
    SourceError::invalid(format!("the URL of Nomad cannot be used: {what}"))
        .hint("nomad://HOST:4646, nomads://HOST:4646 for TLS, nomad+unix:///PATH, or nomad: with NOMAD_ADDR")
}
