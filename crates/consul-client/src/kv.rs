//! Keys and values: one, a folder, only the names; writes under a condition; locks.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use crate::answer::{json, malformed};
use crate::client::{Client, Request};
use crate::error::Error;
use crate::escape::key_path;
use crate::query::{Answer, Query};

/// One key as Consul tells it, borrowed from the answer. Its value stays encoded until somebody wants it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KvEntry<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// The value in base64; `None`: it is empty.
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
    /// When it was created.
    pub create_index: u64,
    /// When it last changed.
    pub modify_index: u64,
    /// How many times it was locked.
    #[serde(default)]
    pub lock_index: u64,
    /// The session that holds its lock.
    #[serde(borrow)]
    pub session: Option<Cow<'a, str>>,
}

impl KvEntry<'_> {
    /// The value's bytes; `None`: the answer is broken.
    pub fn value(&self) -> Option<Bytes> {
        self.value
            .as_deref()
            .map_or_else(|| Some(Bytes::new()), |text| STANDARD.decode(text).ok().map(Bytes::from))
    }

    /// The value's length, without decoding it.
    pub fn value_len(&self) -> usize {
        let text = self.value.as_deref().unwrap_or_default();
        text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count()
    }

    /// The same entry with text of its own.
    pub fn into_owned(self) -> KvEntry<'static> {
        KvEntry {
            key: Cow::Owned(self.key.into_owned()),
            value: self.value.map(|value| Cow::Owned(value.into_owned())),
            session: self.session.map(|session| Cow::Owned(session.into_owned())),
            create_index: self.create_index,
            modify_index: self.modify_index,
            lock_index: self.lock_index,
        }
    }
}

/// The keys below a prefix, as an answer that is read when it is wanted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KvEntries {
    body: Bytes,
    address: String,
}

impl KvEntries {
    /// The entries, sorted by key.
    pub fn parse(&self) -> Result<Vec<KvEntry<'_>>, Error> {
        if self.body.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&self.body).map_err(|error| malformed(&self.body, &self.address, &error))
    }

    /// How many bytes the answer had.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }
}

/// Values may be secret.
impl fmt::Debug for KvEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, modify_index, session, .. } = self;
        let mut text = f.debug_struct("KvEntry");
        text.field("key", key).field("modify_index", modify_index).field("session", session);
        text.finish_non_exhaustive()
    }
}

/// The same.
impl fmt::Debug for KvEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvEntries").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// Names below a prefix; one that ends with the separator stands for everything below it.
pub type Keys = Vec<String>;

/// What must be true of a key for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutCondition<'a> {
    /// Nothing.
    Any,
    /// It last changed at this index; zero: it does not exist.
    At(u64),
    /// Nobody else's session holds it; then it is this one's.
    Acquire(&'a str),
    /// This session holds it; then nobody's does.
    Release(&'a str),
}

impl Client {
    /// One key.
    pub async fn kv_get(&self, key: &str, query: &Query) -> Result<Answer<Option<KvEntry<'static>>>, Error> {
        let raw = self.send(Request::get(kv(key)?, query)).await?;
        raw.found(self.address())?.map(|body| match body {
            Some(body) => {
                let list = KvEntries { body, address: self.address().to_owned() };
                let entries = list.parse()?;
                Ok(entries.into_iter().next().map(KvEntry::into_owned))
            }
            None => Ok(None),
        })
    }

    /// All keys that begin with `prefix`; `None`: there are none, or none that we may see.
    pub async fn kv_recurse(&self, prefix: &str, query: &Query) -> Result<Answer<Option<KvEntries>>, Error> {
        let raw = self.send(Request::get(kv(prefix)?, query).with("recurse", "")).await?;
        let entries = |body| KvEntries { body, address: self.address().to_owned() };
        raw.found(self.address())?.map(|body| Ok(body.map(entries)))
    }

    /// The names that begin with `prefix`, up to the next separator if there is one.
    pub async fn kv_keys(
        &self,
        prefix: &str,
        separator: Option<&str>,
        query: &Query,
    ) -> Result<Answer<Option<Keys>>, Error> {
        let mut request = Request::get(kv(prefix)?, query).with("keys", "");
        if let Some(separator) = separator {
            request = request.with("separator", separator);
        }
        let raw = self.send(request).await?;
        raw.found(self.address())?.map(|body| body.map(|body| json(&body, self.address())).transpose())
    }

    /// Writes a key; `false`: the condition does not hold.
    pub async fn kv_put(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        condition: PutCondition<'_>,
    ) -> Result<bool, Error> {
        let request = Request::new(Method::PUT, kv(key)?).body(value);
        let request = match condition {
            PutCondition::Any => request,
            PutCondition::At(index) => request.with("cas", index.to_string()),
            PutCondition::Acquire(session) => request.with("acquire", session),
            PutCondition::Release(session) => request.with("release", session),
        };
        json(&self.send(request).await?.success(self.address())?.value, self.address())
    }

    /// Removes a key, if it is there.
    pub async fn kv_delete(&self, key: &str) -> Result<(), Error> {
        self.send(Request::new(Method::DELETE, kv(key)?)).await?.success(self.address()).map(drop)
    }
}

fn kv(key: &str) -> Result<String, Error> {
    Ok(format!("kv/{}", key_path(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"[
        {"LockIndex":0,"Key":"a/b","Flags":0,"Value":"aGk=","CreateIndex":3,"ModifyIndex":7},
        {"LockIndex":2,"Key":"a/\u003cc\u003e","Flags":9,"Value":null,"CreateIndex":4,"ModifyIndex":4,"Session":"s"}
    ]"#;

    fn entries() -> KvEntries {
        KvEntries { body: BODY.into(), address: "here".into() }
    }

    #[test]
    fn entries_have_their_indexes_and_values() {
        let list = entries();
        let parsed = list.parse().expect("well-formed");
        assert_eq!((parsed[0].value(), parsed[0].value_len()), (Some("hi".into()), 2));
        assert_eq!((parsed[0].create_index, parsed[0].modify_index), (3, 7));
        assert_eq!((parsed[1].key.as_ref(), parsed[1].session.as_deref()), ("a/<c>", Some("s")));
        assert_eq!((parsed[1].value(), parsed[1].value_len()), (Some(Bytes::new()), 0));
    }

    #[test]
    fn a_broken_answer_is_told_without_its_values() {
        let list = KvEntries { body: r#"[{"Key":"a","Value":"c2VjcmV0""#.into(), address: "here".into() };
        let error = list.parse().expect_err("it is cut off").to_string();
        assert!(error.contains("here") && !error.contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn entries_print_without_their_values() {
        let list = entries();
        let text = format!("{list:?} {:?}", list.parse().expect("well-formed"));
        assert!(text.contains("a/b") && !text.contains("aGk="), "{text}");
    }

    #[test]
    fn no_answer_is_no_entries() {
        assert_eq!(KvEntries::default().parse(), Ok(Vec::new()));
    }
}
