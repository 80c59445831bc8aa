//! serde's view of a tree. The type that is asked for decides how a scalar reads.
//!
//! Errors here mean that the tree was not checked against its shape first; they quote no values.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::scalar::Scalar;
use super::tree::{Node, Value};

/// The tree does not fit the type.
#[derive(Debug)]
pub(crate) struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("a value does not fit its field".to_owned())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self(format!("expected {expected}"))
    }
}

impl<'de> IntoDeserializer<'de, Misfit> for &'de Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn scalar<'de>(node: &'de Node<'_>) -> Result<&'de Scalar<'de>, Misfit> {
    match &node.value {
        Value::Scalar(scalar) => Ok(scalar),
        _ => Err(Misfit::custom("not a scalar")),
    }
}

fn integer<'de, V: Visitor<'de>>(node: &'de Node<'_>, visitor: V) -> Result<V::Value, Misfit> {
    let value = scalar(node)?.as_integer().ok_or_else(|| Misfit::custom("not an integer"))?;
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => visitor.visit_u64(value),
        (_, Ok(value)) => visitor.visit_i64(value),
        _ => Err(Misfit::custom("out of range")),
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            integer(self, visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &'de Node<'_> {
    type Error = Misfit;

    integers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.value {
            Value::List(list) => visitor.visit_seq(SeqDeserializer::new(list.iter())),
            Value::Map(map) => {
                let entries = map.entries.iter().map(|entry| (&*entry.key, &entry.value));
                visitor.visit_map(MapDeserializer::new(entries))
            }
            Value::Scalar(scalar) if scalar.is_null() => visitor.visit_unit(),
            Value::Scalar(scalar) if scalar.is_number() && scalar.as_integer().is_some() => {
                integer(self, visitor)
            }
            Value::Scalar(scalar) if scalar.is_number() => {
                visitor.visit_f64(scalar.as_float().unwrap_or_default())
            }
            Value::Scalar(Scalar { text, plain: true }) if matches!(&**text, "true" | "false") => {
                visitor.visit_bool(text == "true")
            }
            Value::Scalar(scalar) => visitor.visit_borrowed_str(&scalar.text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_bool(scalar(self)?.as_bool().ok_or_else(|| Misfit::custom("not a truth value"))?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_f64(scalar(self)?.as_float().ok_or_else(|| Misfit::custom("not a number"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_borrowed_str(&scalar(self)?.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let word: StrDeserializer<'_, Misfit> = scalar(self)?.text.as_ref().into_deserializer();
        word.deserialize_enum(name, words, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
