//! Just enough JSON to read what cargo prints: objects, arrays, strings, numbers and words.

use std::iter::Peekable;
use std::str::Chars;

/// A JSON value. Objects keep their order; members are few, so a list is quick enough.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number
    Number(f64),
    /// A string, unescaped
    String(String),
    /// A list
    Array(Vec<Json>),
    /// Members in their order
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value that fills the whole text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text.chars().peekable() };
        let value = parser.value()?;
        parser.skip_space();
        match parser.rest.next() {
            None => Ok(value),
            Some(extra) => Err(format!("{extra:?} after the end of the value")),
        }
    }

    /// A member of an object; `Null` where there is none.
    pub(crate) fn get(&self, name: &str) -> &Self {
        const NOTHING: &Json = &Json::Null;
        match self {
            Self::Object(members) => {
                members.iter().find(|(key, _)| key == name).map_or(NOTHING, |(_, value)| value)
            }
            _ => NOTHING,
        }
    }

    /// The text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of an array; none for anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<Json, String> {
        self.skip_space();
        match self.rest.peek() {
            Some('{') => self.object(),
            Some('[') => self.array(),
            Some('"') => self.string().map(Json::String),
            Some(_) => self.word(),
            None => Err("the text ends where a value is due".into()),
        }
    }

    fn object(&mut self) -> Result<Json, String> {
        let mut members = Vec::new();
        self.rest.next();
        while !self.ends_with('}')? {
            self.skip_space();
            let name = self.string()?;
            self.expect(':')?;
            members.push((name, self.value()?));
        }
        Ok(Json::Object(members))
    }

    fn array(&mut self) -> Result<Json, String> {
        let mut items = Vec::new();
        self.rest.next();
        while !self.ends_with(']')? {
            items.push(self.value()?);
        }
        Ok(Json::Array(items))
    }

    /// Steps over a comma, or over the end of the container.
    fn ends_with(&mut self, end: char) -> Result<bool, String> {
        self.skip_space();
        match self.rest.peek() {
            Some(found) if *found == end => {
                self.rest.next();
                Ok(true)
            }
            Some(',') => {
                self.rest.next();
                Ok(false)
            }
            Some(_) => Ok(false),
            None => Err(format!("the text ends where {end:?} is due")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(plain) => text.push(plain),
                None => return Err("the text ends inside a string".into()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        match self.rest.next() {
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('u') => self.code_point(),
            Some(itself @ ('"' | '\\' | '/')) => Ok(itself),
            other => Err(format!("{other:?} cannot be escaped")),
        }
    }

    /// Half a surrogate pair becomes a replacement character: cargo's names and paths need no more.
    fn code_point(&mut self) -> Result<char, String> {
        let digits: String = self.rest.by_ref().take(4).collect();
        let code = u32::from_str_radix(&digits, 16).map_err(|error| format!("\\u{digits}: {error}"))?;
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn word(&mut self) -> Result<Json, String> {
        let mut word = String::new();
        while let Some(next) =
            self.rest.next_if(|next| !matches!(next, ',' | ']' | '}') && !next.is_whitespace())
        {
            word.push(next);
        }
        match word.as_str() {
            "null" => Ok(Json::Null),
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            number => number.parse().map(Json::Number).map_err(|_| format!("{number:?} is no JSON value")),
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        self.skip_space();
        match self.rest.next() {
            Some(found) if found == wanted => Ok(()),
            found => Err(format!("{wanted:?} is due, found {found:?}")),
        }
    }

    fn skip_space(&mut self) {
        while self.rest.next_if(|next| next.is_whitespace()).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let text = r#" {"a": [1, -2.5e1, true, false, null], "b": {"c": "x\n\"\u0041"}, "e": [], "o": {}} "#;
        let value = Json::parse(text).expect("valid JSON");
        assert_eq!(value.get("a").items()[1], Json::Number(-25.0));
        assert_eq!(value.get("a").items()[2..], [Json::Bool(true), Json::Bool(false), Json::Null]);
        assert_eq!(value.get("b").get("c").text(), Some("x\n\"A"));
        assert_eq!(value.get("e").items(), []);
        assert_eq!(value.get("missing").get("deeper"), &Json::Null);
    }

    #[test]
    fn broken_text_is_an_error_and_never_a_value() {
        for text in ["", "{", "[1, 2", r#"{"a" 1}"#, r#""open"#, "nope", "{} {}", r#""\x""#] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
