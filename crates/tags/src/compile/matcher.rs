//! The matcher of a branch: conditions joined into the fields that core's `Matcher` has.

use serde_json::{Map, Value, json};

use super::client::{Client, Clients};
use super::condition::Condition;
use super::header::{self, HeaderTest};
use super::path::{PathForm, PathTest};

/// A matcher of core's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Matcher {
    path: PathForm,
    headers: Vec<HeaderTest>,
    methods: Vec<String>,
    client: Option<Client>,
}

impl Matcher {
    /// The same matcher with a further condition.
    pub(super) fn ask(&mut self, header: HeaderTest) {
        if let Err(position) = self.headers.binary_search(&header) {
            self.headers.insert(position, header);
        }
    }

    /// As a user would write it.
    pub(crate) fn json(&self) -> Value {
        let mut json = Map::new();
        let (field, path) = match &self.path {
            PathForm::Prefix(path) => ("prefix", path),
            PathForm::Exact(path) => ("exact", path),
            PathForm::Regex(path) => ("regex", path),
        };
        json.insert(field.to_owned(), json!(path));
        if !self.headers.is_empty() {
            let headers: Vec<_> = self.headers.iter().map(HeaderTest::json).collect();
            json.insert("headers".to_owned(), json!(headers));
        }
        if !self.methods.is_empty() {
            json.insert("methods".to_owned(), json!(self.methods));
        }
        if let Some(client) = &self.client {
            json.insert("clientIp".to_owned(), client.json());
        }
        Value::Object(json)
    }
}

/// Gathers the conditions of a matcher.
#[derive(Debug, Default)]
pub(super) struct Builder {
    paths: Vec<PathTest>,
    headers: Vec<HeaderTest>,
    method: Option<String>,
    clients: Clients,
}

impl Builder {
    /// Adds a condition; `None`: it contradicts another.
    pub(super) fn add(&mut self, condition: Condition) -> Option<()> {
        match condition {
            Condition::Path(test, true) => self.paths.push(test),
            Condition::Path(test, false) => {
                self.headers.push(HeaderTest::regex(":path", test.with_query).inverted());
            }
            Condition::Method(method, true) => {
                if self.method.as_ref().is_some_and(|before| *before != method) {
                    return None;
                }
                self.method = Some(method);
            }
            Condition::Method(method, false) => {
                self.headers.push(HeaderTest::exact(":method", &method).inverted());
            }
            Condition::Header(test) => self.headers.push(test),
            Condition::Client(ranges, wanted) => self.clients.add(&ranges, wanted),
            Condition::Host(..) => unreachable!("tests of the host are the branch's"),
        }
        Some(())
    }

    /// `None`: no client's address is left, or a header is to be there and not to be there.
    pub(super) fn build(mut self) -> Option<Matcher> {
        // The narrowest form leads, which also is the cheapest for Envoy; `:path` is asked for the others.
        self.paths.sort_by_key(|test| match test.form {
            PathForm::Exact(_) => 0,
            PathForm::Prefix(_) => 1,
            PathForm::Regex(_) => 2,
        });
        let mut paths = self.paths.into_iter();
        let path = paths.next().map(|test| test.form).unwrap_or_default();
        self.headers.extend(paths.map(|test| HeaderTest::regex(":path", test.with_query)));
        self.headers.sort();
        self.headers.dedup();
        if header::contradict(&self.headers) {
            return None;
        }
        Some(Matcher {
            path,
            headers: self.headers,
            methods: self.method.into_iter().collect(),
            client: self.clients.build().ok()?,
        })
    }
}
