//! The few pieces of protobuf's wire form that joining needs: writing fields around encoded messages,
//! and reading the path back from an encoded route, so that no route has to keep a copy of it.

use bytes::{BufMut, BytesMut};
use prost::encoding::{
    WireType, decode_key, decode_varint, encode_key, encode_varint, encoded_len_varint, key_len,
};

/// Numbers of fields of `Route`, `RouteMatch` and `RouteMatch.case_sensitive`.
const MATCH: u32 = 1;
const PREFIX: u32 = 1;
const EXACT: u32 = 2;
const CASE_SENSITIVE: u32 = 4;

/// Writes a string or an encoded message as field `number`.
pub(super) fn put(number: u32, value: &[u8], buffer: &mut BytesMut) {
    encode_key(number, WireType::LengthDelimited, buffer);
    encode_varint(value.len() as u64, buffer);
    buffer.put_slice(value);
}

/// The bytes that [`put`] writes.
pub(super) const fn put_len(number: u32, value: &[u8]) -> usize {
    key_len(number) + encoded_len_varint(value.len() as u64) + value.len()
}

/// What the path of a route says about which requests it can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path<'a> {
    /// Paths that start with this.
    Prefix(&'a [u8]),
    /// This path.
    Exact(&'a [u8]),
    /// A regex, CONNECT, a path whose case does not count: it may be any.
    Any,
}

/// The path of an encoded `Route`.
pub(super) fn path(route: &[u8]) -> Path<'_> {
    read_path(route).unwrap_or(Path::Any)
}

/// prost writes the match first in the route, the path first in the match, and the case behind it.
fn read_path(mut route: &[u8]) -> Option<Path<'_>> {
    let (MATCH, mut matcher) = take(&mut route)? else { return None };
    let path = match take(&mut matcher)? {
        (PREFIX, text) => Path::Prefix(text),
        (EXACT, text) => Path::Exact(text),
        _ => return None,
    };
    match take(&mut matcher) {
        Some((CASE_SENSITIVE, [])) => None,
        _ => Some(path),
    }
}

/// Takes one length-delimited field off the front: its number and its value.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<(u32, &'a [u8])> {
    let (number, WireType::LengthDelimited) = decode_key(bytes).ok()? else { return None };
    let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((number, value))
}

#[cfg(test)]
mod tests {
    use biplane_core::resources::route::{ConnectMatcher, HeaderMatcher, Matcher};
    use envoy_types::pb::envoy::config::route::v3::Route;
    use prost::Message;

    use super::*;
    use crate::route::matcher::translate;

    fn encoded(matcher: &Matcher) -> Vec<u8> {
        let headers = vec![HeaderMatcher { name: "x-a".to_owned(), ..HeaderMatcher::default() }];
        let matcher = Matcher { headers, ..matcher.clone() };
        Route { name: "named".to_owned(), r#match: translate(&matcher, false), ..Route::default() }
            .encode_to_vec()
    }

    #[test]
    fn path_is_read_back_from_the_encoding() {
        let text = || Some("/a".to_owned());
        let cases = [
            (Matcher { prefix: text(), ..Matcher::default() }, Path::Prefix(b"/a")),
            (Matcher { exact: text(), ..Matcher::default() }, Path::Exact(b"/a")),
            (Matcher { exact: text(), case_sensitive: Some(true), ..Matcher::default() }, Path::Exact(b"/a")),
            (Matcher { prefix: text(), case_sensitive: Some(false), ..Matcher::default() }, Path::Any),
            (Matcher { regex: text(), ..Matcher::default() }, Path::Any),
            (Matcher { connect_matcher: Some(ConnectMatcher {}), ..Matcher::default() }, Path::Any),
        ];
        for (matcher, expected) in cases {
            assert_eq!(path(&encoded(&matcher)), expected, "{matcher:?}");
        }
    }
}
