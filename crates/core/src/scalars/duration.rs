//! A span of time as users write it: `5s`, `0.25s` (protobuf's JSON form, which Gloo writes) and
//! the forms that HashiCorp's tools use as well: `100ms`, `1m30s`, `1h`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A non-negative span of time, to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub std::time::Duration);

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: {why}")]
pub struct InvalidDuration {
    text: String,
    why: &'static str,
}

const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// Envoy counts nanoseconds in 64 bits and refuses longer ones, of about 292 years.
const MAX_SECONDS: u64 = 9_223_372_035;

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let fail = |why| InvalidDuration { text: text.to_owned(), why };
        if text.is_empty() {
            return Err(fail("it is empty"));
        }
        if text.starts_with('-') {
            return Err(fail("it is negative"));
        }
        let (mut rest, mut nanos) = (text, 0_u128);
        while !rest.is_empty() {
            let (part, behind) = part(rest).map_err(fail)?;
            nanos = nanos.checked_add(part).ok_or_else(|| fail("it is too long"))?;
            rest = behind;
        }
        if nanos > u128::from(MAX_SECONDS) * 1_000_000_000 {
            return Err(fail("it is too long"));
        }
        let seconds = u64::try_from(nanos / 1_000_000_000).expect("bound above");
        let below = u32::try_from(nanos % 1_000_000_000).expect("a remainder below 10^9");
        Ok(Self(std::time::Duration::new(seconds, below)))
    }
}

/// Takes one `12.5ms` off the front: its nanoseconds, and what is left.
fn part(text: &str) -> Result<(u128, &str), &'static str> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or("it has no unit")?;
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    let nanos = UNITS.iter().find(|(name, _)| *name == unit).ok_or("its unit is unknown")?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty()
        || fraction.contains('.')
        || fraction.len() > 9
        || whole.len() > 18
    {
        return Err("its number is malformed");
    }
    let whole: u128 =
        if whole.is_empty() { 0 } else { whole.parse().map_err(|_| "its number is malformed")? };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).expect("at most nine digits"));
    let fraction: u128 =
        if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| "its number is malformed")? };
    Ok((whole * u128::from(nanos) + fraction * u128::from(nanos) / scale, rest))
}

/// protobuf's JSON form: seconds with as many digits as needed.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = self.0.subsec_nanos();
        if below == 0 {
            return write!(f, "{}s", self.0.as_secs());
        }
        let digits = format!("{below:09}");
        write!(f, "{}.{}s", self.0.as_secs(), digits.trim_end_matches('0'))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time with a unit: 5s, 0.25s, 100ms, 1m30s.",
            "pattern": r"^([0-9]+(\.[0-9]{0,9})?(ns|us|ms|s|m|h))+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> u128 {
        text.parse::<Duration>().unwrap().0.as_nanos()
    }

    #[test]
    fn duration_takes_protobuf_and_go_forms() {
        assert_eq!(nanos("5s"), 5_000_000_000);
        assert_eq!(nanos("0.25s"), 250_000_000);
        assert_eq!(nanos("1m30s"), 90_000_000_000);
        assert_eq!(nanos("100ms"), 100_000_000);
    }

    #[test]
    fn duration_refuses_what_has_no_unit_or_is_negative() {
        for text in ["", "5", "-1s", "1x", "1..2s", "9999999999999999h", "9223372037s", "s", "."] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn duration_prints_what_it_parses() {
        for text in ["5s", "0.25s", "0.000000001s", "90s"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
    }
}
