//! Values out of an answer, in memory that is wiped.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// What is stored under one name.
#[derive(PartialEq, Eq)]
pub(crate) enum Field {
    /// Text, as it is.
    Text(Zeroizing<Vec<u8>>),
    /// Anything else, as JSON.
    Json(Zeroizing<Vec<u8>>),
}

impl Field {
    /// Text itself, the rest as JSON.
    pub(crate) fn value(self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Text(bytes) | Self::Json(bytes) => bytes,
        }
    }

    /// All as JSON.
    pub(crate) fn json(self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Text(bytes) => json(&std::str::from_utf8(&bytes).expect("it was text")),
            Self::Json(bytes) => bytes,
        }
    }
}

/// Values by name, as the source gives them.
pub(crate) fn values(fields: BTreeMap<String, Field>, as_json: bool) -> BTreeMap<String, Zeroizing<Vec<u8>>> {
    let value = if as_json { Field::json } else { Field::value };
    fields.into_iter().map(|(name, field)| (name, value(field))).collect()
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

/// A value that is no text is read as a whole, written down again, and wiped.
impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(Zeroizing::new(text.as_bytes().to_vec())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Field, E> {
        Ok(rewritten(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Field, E> {
        Ok(rewritten(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Field, E> {
        Ok(rewritten(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Field, E> {
        Ok(rewritten(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Field, E> {
        Ok(rewritten(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Field, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq)).map(rewritten)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(rewritten)
    }
}

fn rewritten(mut value: Value) -> Field {
    let written = json(&value);
    wipe(&mut value);
    Field::Json(written)
}

/// As JSON, written into memory that is large enough from the start: what grows leaves copies behind.
fn json(value: &impl serde::Serialize) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value).expect("it came from JSON");
    let mut written = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *written, value).expect("it came from JSON");
    written
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(as_json: bool) -> BTreeMap<String, String> {
        let text =
            r#"{"text":"a\n\"b\" ","number":1.5,"whole":7,"list":["x",{"y":null}],"yes":true,"none":null}"#;
        let fields = serde_json::from_str(text).expect("JSON");
        let shown = |value: Zeroizing<Vec<u8>>| String::from_utf8(value.to_vec()).expect("text");
        values(fields, as_json).into_iter().map(|(name, value)| (name, shown(value))).collect()
    }

    #[test]
    fn text_is_itself_and_the_rest_is_json() {
        let expected = [
            ("list", r#"["x",{"y":null}]"#),
            ("none", "null"),
            ("number", "1.5"),
            ("text", "a\n\"b\" "),
            ("whole", "7"),
            ("yes", "true"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(false), BTreeMap::from(expected));
    }

    #[test]
    fn a_whole_object_is_json_all_through() {
        assert_eq!(read(true)["text"], r#""a\n\"b\" ""#);
        assert_eq!(read(true)["list"], r#"["x",{"y":null}]"#);
    }
}
