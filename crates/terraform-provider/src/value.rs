//! Values as OpenTofu passes them about, and the two forms in which they travel.
//!
//! An absent value is [`Value::Null`], which is not an empty one; one that is known only when something else was
//! applied is [`Value::Unknown`].

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Number, Value as Json};

use crate::wire::DynamicValue;

/// The largest whole number that a float holds without loss.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Value {
    /// Absent.
    #[default]
    Null,
    /// Not known yet.
    Unknown,
    /// True or false.
    Bool(bool),
    /// A number; whole ones are never floats, so that equal numbers are equal values.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A map or an object.
    Map(Fields),
}

/// The elements of a map or an object.
pub(crate) type Fields = BTreeMap<String, Value>;

/// Bytes that are no value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("OpenTofu has sent what is no value: {0}")]
pub(crate) struct NoValue(String);

impl Value {
    /// Reads a value; none at all is null.
    pub(crate) fn decode(encoded: Option<&DynamicValue>) -> Result<Self, NoValue> {
        let Some(encoded) = encoded else { return Ok(Self::Null) };
        if encoded.msgpack.is_empty() && !encoded.json.is_empty() {
            return Self::of_text(&encoded.json);
        }
        if encoded.msgpack.is_empty() {
            return Ok(Self::Null);
        }
        let mut bytes: &[u8] = &encoded.msgpack;
        let value = rmpv::decode::read_value(&mut bytes).map_err(|error| NoValue(error.to_string()))?;
        of_msgpack(value)
    }

    /// Reads JSON text.
    pub(crate) fn of_text(text: &[u8]) -> Result<Self, NoValue> {
        let json: Json = serde_json::from_slice(text).map_err(|error| NoValue(error.to_string()))?;
        Ok(Self::of_json(json))
    }

    /// The same value as JSON has it.
    pub(crate) fn of_json(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => Self::number(number),
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items.into_iter().map(Self::of_json).collect()),
            Json::Object(map) => {
                Self::Map(map.into_iter().map(|(key, value)| (key, Self::of_json(value))).collect())
            }
        }
    }

    /// A number: `1.0` is `1`.
    pub(crate) fn number(number: Number) -> Self {
        let float = number.as_f64().filter(|_| number.is_f64());
        match float {
            Some(float) if float.fract() == 0.0 && float.abs() < WHOLE =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole and small enough, see above")]
                Self::Number((float as i64).into())
            }
            _ => Self::Number(number),
        }
    }

    /// Writes a value.
    pub(crate) fn encode(&self) -> DynamicValue {
        let mut msgpack = Vec::new();
        rmpv::encode::write_value(&mut msgpack, &self.msgpack()).expect("memory takes all that is written");
        DynamicValue { msgpack: msgpack.into(), json: Bytes::new() }
    }

    fn msgpack(&self) -> rmpv::Value {
        match self {
            Self::Null => rmpv::Value::Nil,
            // One byte of nothing: the shortest extension that there is.
            Self::Unknown => rmpv::Value::Ext(0, vec![0]),
            Self::Bool(value) => (*value).into(),
            Self::Number(number) => msgpack_number(number),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => rmpv::Value::Array(items.iter().map(Self::msgpack).collect()),
            Self::Map(map) => {
                let pairs = map.iter().map(|(key, value)| (key.as_str().into(), value.msgpack()));
                rmpv::Value::Map(pairs.collect())
            }
        }
    }

    /// Whether it is absent.
    pub(crate) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, if it has any.
    pub(crate) fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// An element of an object; what is not there is null.
    pub(crate) fn get(&self, name: &str) -> &Self {
        self.fields().and_then(|fields| fields.get(name)).unwrap_or(&Self::Null)
    }

    /// Puts an element into an object.
    pub(crate) fn set(&mut self, name: &str, value: Self) {
        if let Self::Map(fields) = self {
            fields.insert(name.to_owned(), value);
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

/// What is not whole goes as text: OpenTofu counts in decimals, and its 0.1 is not the 0.1 of a float.
fn msgpack_number(number: &Number) -> rmpv::Value {
    let whole = number.as_u64().map(rmpv::Value::from).or_else(|| number.as_i64().map(rmpv::Value::from));
    whole.unwrap_or_else(|| number.to_string().into())
}

fn of_msgpack(value: rmpv::Value) -> Result<Value, NoValue> {
    Ok(match value {
        rmpv::Value::Nil => Value::Null,
        // Some say more about what is not known yet; it is unknown all the same.
        rmpv::Value::Ext(..) => Value::Unknown,
        rmpv::Value::Boolean(value) => Value::Bool(value),
        rmpv::Value::Integer(number) => Value::Number(whole(number)?),
        rmpv::Value::F32(number) => float(number.into())?,
        rmpv::Value::F64(number) => float(number)?,
        rmpv::Value::String(text) => Value::Text(utf8(text)?),
        rmpv::Value::Binary(_) => return Err(NoValue("bytes".to_owned())),
        rmpv::Value::Array(items) => {
            Value::List(items.into_iter().map(of_msgpack).collect::<Result<_, _>>()?)
        }
        rmpv::Value::Map(pairs) => Value::Map(pairs.into_iter().map(field).collect::<Result<_, _>>()?),
    })
}

fn field((key, value): (rmpv::Value, rmpv::Value)) -> Result<(String, Value), NoValue> {
    match key {
        rmpv::Value::String(key) => Ok((utf8(key)?, of_msgpack(value)?)),
        other => Err(NoValue(format!("the key {other}"))),
    }
}

fn whole(number: rmpv::Integer) -> Result<Number, NoValue> {
    let unsigned = number.as_u64().map(Number::from);
    unsigned.or_else(|| number.as_i64().map(Number::from)).ok_or_else(|| NoValue(number.to_string()))
}

fn float(number: f64) -> Result<Value, NoValue> {
    Number::from_f64(number).map(Value::number).ok_or_else(|| NoValue(number.to_string()))
}

fn utf8(text: rmpv::Utf8String) -> Result<String, NoValue> {
    text.into_str().ok_or_else(|| NoValue("text that is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_reads_what_it_writes_and_absent_is_not_empty() {
        let json = json!({
            "a": null, "b": [], "c": {}, "d": "", "e": [true, 1, -1, u64::MAX, "text"], "f": {"g": {"h": null}},
        });
        let mut value = Value::of_json(json);
        value.set("u", Value::Unknown);
        assert_eq!(Value::decode(Some(&value.encode())), Ok(value));
    }

    #[test]
    fn equal_numbers_are_equal_values() {
        let decode = |value: rmpv::Value| of_msgpack(value).expect("a value");
        assert_eq!(decode(rmpv::Value::F64(80.0)), decode(rmpv::Value::from(80)));
        assert_eq!(Value::of_json(json!(80.0)), Value::of_json(json!(80)));
        assert_ne!(Value::of_json(json!(80.5)), Value::of_json(json!(80)));
    }

    #[test]
    fn a_fraction_travels_as_the_decimal_that_was_written() {
        let encoded = Value::of_json(json!(0.1)).encode();
        assert_eq!(Value::decode(Some(&encoded)), Ok("0.1".into()));
    }

    #[test]
    fn what_is_no_value_is_an_error_and_nothing_is_null() {
        assert_eq!(Value::decode(None), Ok(Value::Null));
        let broken = DynamicValue { msgpack: Bytes::from_static(&[0x92, 0x01]), json: Bytes::new() };
        assert!(Value::decode(Some(&broken)).is_err());
        let json = DynamicValue { msgpack: Bytes::new(), json: Bytes::from_static(b"{\"a\":1}") };
        assert_eq!(Value::decode(Some(&json)).expect("JSON").get("a"), &Value::from(1));
    }
}
