//! What stands behind the question mark of a URL: names that are known, each with a value, each at most once.
//!
//! Invariant: what could be a secret is in no error. Values never are, and names only where they look like one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::setting::SettingError;

/// As long as a name may be to be repeated: a token without a name in front of it is longer.
const SHOWN_MAX: usize = 20;

/// How much alike a name that is known must be to be suggested.
const ALIKE: f64 = 0.75;

/// The names that a URL may have, and those that it must not.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its parameters.
    pub names: &'static [&'static str],
    /// What people put into URLs though everybody sees it, and where it belongs.
    pub secrets: &'static [(&'static str, &'static str)],
}

/// The parameters that are not used yet.
#[derive(Debug)]
pub struct Parameters {
    known: &'static Known,
    values: BTreeMap<&'static str, String>,
}

impl Parameters {
    /// From `name=value&other=value`, where values may have percent signs for what is not text.
    pub fn parse(query: &str, known: &'static Known) -> Result<Self, SettingError> {
        let mut values = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known.find(name)?;
            if value.is_empty() {
                return Err(SettingError::new(format!("its parameter {name} has no value")));
            }
            if values.insert(name, decode(value)?).is_some() {
                return Err(SettingError::new(format!("it has the parameter {name} twice")));
            }
        }
        Ok(Self { known, values })
    }

    /// The value, which counts as used.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        debug_assert!(self.known.names.contains(&name), "{name} is in the list");
        self.values.remove(name)
    }

    /// The value as a path.
    pub fn take_path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.take(name).map(PathBuf::from)
    }

    /// A parameter that was given and that nobody has used.
    pub fn unused(&self) -> Option<&'static str> {
        self.values.keys().next().copied()
    }
}

impl Known {
    fn find(&self, name: &str) -> Result<&'static str, SettingError> {
        if let Some(known) = self.names.iter().find(|known| **known == name) {
            return Ok(known);
        }
        if let Some((name, place)) = self.secrets.iter().find(|(secret, _)| *secret == name) {
            let why = "does not belong in it: everybody who lists processes sees it";
            return Err(SettingError::new(format!("a {name} {why}")).hint(*place));
        }
        Err(unknown(name, self.names))
    }
}

/// A parameter that nobody knows, with the nearest of those that are known.
pub fn unknown(name: &str, known: &[&str]) -> SettingError {
    let list = || format!("the parameters are {}", known.join(", "));
    if name.len() > SHOWN_MAX || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return SettingError::new("it has something in it that is no parameter").hint(list());
    }
    let alike = |other: &&str| strsim::jaro_winkler(name, other);
    let nearest = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let hint = nearest.filter(|near| alike(near) > ALIKE).map(|near| format!("did you mean {near}?"));
    SettingError::new(format!("it has an unknown parameter {name:?}")).hint(hint.unwrap_or_else(list))
}

/// The text behind percent signs.
pub fn decode(text: &str) -> Result<String, SettingError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => (hexadecimal(*high, *low).ok_or_else(without_digits)?, tail),
            (b'%', _) => return Err(without_digits()),
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| SettingError::new("it is not UTF-8"))
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn without_digits() -> SettingError {
    SettingError::new("a % in it is not followed by two digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: Known =
        Known { names: &["name", "tokenFile", "timeout"], secrets: &[("token", "tokenFile=FILE")] };

    fn parse(query: &str) -> Result<Parameters, SettingError> {
        Parameters::parse(query, &KNOWN)
    }

    fn refused(query: &str) -> (String, String) {
        let error = parse(query).expect_err(query);
        (error.message, error.hint.unwrap_or_default())
    }

    #[test]
    fn values_are_taken_once_and_what_is_left_is_known() {
        let mut parameters = parse("name=a%20b&&tokenFile=/run/t").expect("good");
        assert_eq!(parameters.take("name").as_deref(), Some("a b"));
        assert_eq!((parameters.take("name"), parameters.take("timeout")), (None, None));
        assert_eq!(parameters.unused(), Some("tokenFile"));
        assert_eq!(parameters.take_path("tokenFile"), Some("/run/t".into()));
        assert_eq!(parameters.unused(), None);
    }

    #[test]
    fn every_parameter_has_a_value_and_stands_once() {
        assert_eq!(refused("name").0, "its parameter name has no value");
        assert_eq!(refused("name=").0, "its parameter name has no value");
        assert_eq!(refused("name=a&name=b").0, "it has the parameter name twice");
    }

    #[test]
    fn an_unknown_name_is_told_with_the_nearest_or_with_all() {
        let (message, hint) = refused("tokenfile=x");
        assert_eq!(message, "it has an unknown parameter \"tokenfile\"");
        assert_eq!(hint, "did you mean tokenFile?");
        assert_eq!(refused("zzz=1").1, "the parameters are name, tokenFile, timeout");
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for query in ["token=hunter2", "hvs.hunter2", "hunter2hunter2hunter2=1", "name=%hunter2"] {
            let told = refused(query);
            assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
        }
        let (message, hint) = refused("token=x");
        assert_eq!(message, "a token does not belong in it: everybody who lists processes sees it");
        assert_eq!(hint, "tokenFile=FILE");
    }

    #[test]
    fn percent_signs_stand_for_two_digits_and_give_text() {
        assert_eq!(decode("%2Frun%2ft%C3%A4"), Ok("/run/tä".to_owned()));
        for text in ["%", "a%2", "%zz", "%+f"] {
            assert_eq!(decode(text), Err(without_digits()), "{text}");
        }
        assert!(decode("%ff").is_err_and(|error| error.message == "it is not UTF-8"));
    }
}
