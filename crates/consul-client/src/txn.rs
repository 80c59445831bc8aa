//! Transactions: many operations in one step, or none.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::malformed;
use crate::client::{Client, Request};
use crate::error::Error;
use crate::kv::KvEntry;

/// One operation on one key.
#[derive(Clone, PartialEq, Eq)]
pub enum TxnOp {
    /// Write.
    Set(String, Bytes),
    /// Write if it last changed at this index; zero: if it does not exist.
    Cas(String, Bytes, u64),
    /// Read; it must exist.
    Get(String),
    /// Read, whether it exists or not.
    GetOrEmpty(String),
    /// Remove, if it is there.
    Delete(String),
    /// It must have last changed at this index, and exist.
    CheckIndex(String, u64),
    /// It must not exist.
    CheckAbsent(String),
    /// This session must hold it.
    CheckSession(String, String),
}

impl TxnOp {
    /// On which key.
    pub fn key(&self) -> &str {
        match self {
            Self::Set(key, _)
            | Self::Cas(key, _, _)
            | Self::Get(key)
            | Self::GetOrEmpty(key)
            | Self::Delete(key)
            | Self::CheckIndex(key, _)
            | Self::CheckAbsent(key)
            | Self::CheckSession(key, _) => key,
        }
    }

    /// About how many bytes it takes in a request.
    pub fn weight(&self) -> usize {
        let value = match self {
            Self::Set(_, value) | Self::Cas(_, value, _) => value.len(),
            _ => 0,
        };
        value.div_ceil(3) * 4 + self.key().len() * 2 + 128
    }

    fn json(&self) -> Value {
        let operation = match self {
            Self::Set(key, value) => json!({ "Verb": "set", "Key": key, "Value": STANDARD.encode(value) }),
            Self::Cas(key, value, index) => {
                json!({ "Verb": "cas", "Key": key, "Value": STANDARD.encode(value), "Index": index })
            }
            Self::Get(key) => json!({ "Verb": "get", "Key": key }),
            Self::GetOrEmpty(key) => json!({ "Verb": "get-or-empty", "Key": key }),
            Self::Delete(key) => json!({ "Verb": "delete", "Key": key }),
            Self::CheckIndex(key, index) => json!({ "Verb": "check-index", "Key": key, "Index": index }),
            Self::CheckAbsent(key) => json!({ "Verb": "check-not-exists", "Key": key }),
            Self::CheckSession(key, session) => {
                json!({ "Verb": "check-session", "Key": key, "Session": session })
            }
        };
        json!({ "KV": operation })
    }
}

/// Values may be secret.
impl fmt::Debug for TxnOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Self::Set(..) => "Set",
            Self::Cas(..) => "Cas",
            Self::Get(_) => "Get",
            Self::GetOrEmpty(_) => "GetOrEmpty",
            Self::Delete(_) => "Delete",
            Self::CheckIndex(..) => "CheckIndex",
            Self::CheckAbsent(_) => "CheckAbsent",
            Self::CheckSession(..) => "CheckSession",
        };
        f.debug_tuple(verb).field(&self.key()).finish_non_exhaustive()
    }
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxnOutcome {
    /// All of it happened. Removals and checks have no result.
    Applied(Vec<TxnResult>),
    /// None of it happened, because of these operations.
    RolledBack(Vec<TxnError>),
}

/// What one operation came to.
pub type TxnResult = KvEntry<'static>;

/// Why an operation could not be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TxnError {
    /// Which one, from zero.
    pub op_index: usize,
    /// The server's words.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    #[serde(default, borrow)]
    results: Option<Vec<Wrapped<'a>>>,
    #[serde(default)]
    errors: Option<Vec<TxnError>>,
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(rename = "KV", borrow)]
    kv: Option<KvEntry<'a>>,
}

impl Client {
    /// Applies all operations in one step, or none. Reads among them are consistent.
    pub async fn txn(&self, operations: &[TxnOp]) -> Result<TxnOutcome, Error> {
        let body: Vec<_> = operations.iter().map(TxnOp::json).collect();
        let body = serde_json::to_vec(&body).expect("plain data");
        let request = Request::new(Method::PUT, "txn").with("consistent", "").body(body);
        let raw = self.send(request).await?;
        if raw.status != 409 {
            let body = raw.success(self.address())?.value;
            let results = self.txn_body(&body)?.results.unwrap_or_default();
            let entries = results.into_iter().filter_map(|result| result.kv).map(KvEntry::into_owned);
            return Ok(TxnOutcome::Applied(entries.collect()));
        }
        let errors = self.txn_body(&raw.body)?.errors.unwrap_or_default();
        match errors.iter().find(|error| error.what.to_ascii_lowercase().contains("permission denied")) {
            Some(denied) => Err(Error::Denied { message: denied.what.clone() }),
            None => Ok(TxnOutcome::RolledBack(errors)),
        }
    }

    fn txn_body<'a>(&self, body: &'a [u8]) -> Result<Body<'a>, Error> {
        serde_json::from_slice(body).map_err(|error| malformed(body, self.address(), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_never_lighter_than_its_json() {
        let value = Bytes::from(vec![b'x'; 1000]);
        let key = "biplane/config/VirtualService/default/a".to_owned();
        for op in [
            TxnOp::Set(key.clone(), value.clone()),
            TxnOp::Cas(key.clone(), value, u64::MAX),
            TxnOp::CheckSession(key.clone(), "adf4238a-882b-9ddc-4a9d-5b6758e4159e".into()),
            TxnOp::CheckIndex(key, u64::MAX),
        ] {
            assert!(op.json().to_string().len() < op.weight(), "{op:?}");
        }
    }
}
