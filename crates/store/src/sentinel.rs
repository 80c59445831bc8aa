//! The sentinel: the key `config/_store` that marks a prefix as a Biplane store and gives it its identity.
//!
//! It lies under the same prefix, and the same access rules, as what it guards: whoever cannot see it
//! cannot see the objects either, and must not take that for an empty store (I1, I3). `biplane init`
//! writes it once; nobody changes it.

use biplane_core::scalars::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::error::StoreError;
use crate::object::Identity;

/// The format of what lies beside the sentinel. A reader refuses a later one.
pub const FORMAT: u32 = 1;

/// What the sentinel says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sentinel {
    /// The store's identity: random, made once.
    pub id: String,
    /// See [`FORMAT`].
    pub format: u32,
    /// When the store was made.
    pub created_at: Timestamp,
}

impl Sentinel {
    /// A sentinel of a new store.
    pub fn new() -> Self {
        Self { id: random_id(), format: FORMAT, created_at: clock::now() }
    }

    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("plain data").into()
    }

    /// From what is stored at `place`, as people know it.
    pub fn decode(value: &[u8], place: &str) -> Result<Self, StoreError> {
        let sentinel: Self = serde_json::from_slice(value).map_err(|error| {
            StoreError::invalid(format!("{place} does not say which store this is: {error}"))
                .with_hint("restore it from a backup; other people's keys do not belong there")
        })?;
        if sentinel.format > FORMAT {
            let found = sentinel.format;
            return Err(StoreError::invalid(format!(
                "{place} is of format {found}; this version reads {FORMAT}"
            ))
            .with_hint("use the version of Biplane that wrote it, or a later one"));
        }
        Ok(sentinel)
    }

    /// The identity that a listing of this store carries.
    pub fn identity(&self) -> Identity {
        Identity::new(self.id.as_str())
    }
}

impl Default for Sentinel {
    fn default() -> Self {
        Self::new()
    }
}

/// The error of a prefix whose sentinel, at `place`, does not show. `store` is what `--store` takes.
pub fn missing(place: &str, store: &str) -> StoreError {
    StoreError::Unmarked {
        message: format!("{place} is not there, or may not be read: this may not be all of the store"),
        hint: Some(format!(
            "a new store: biplane init --store {store}; otherwise look at the token's rights, or restore what was wiped"
        )),
    }
}

/// 128 random bits in hexadecimal: the name of something that must not be named twice.
pub fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentinel_survives_its_encoding() {
        let sentinel = Sentinel::new();
        assert_eq!(Sentinel::decode(&sentinel.encode(), "config/_store"), Ok(sentinel));
    }

    #[test]
    fn two_stores_have_two_identities() {
        assert_ne!(Sentinel::new().id, Sentinel::new().id);
    }

    #[test]
    fn a_later_format_and_other_bytes_are_refused_with_the_place() {
        for value in [&br#"{"id":"a","format":2,"createdAt":"2026-01-01T00:00:00Z"}"#[..], b"hello"] {
            let error = Sentinel::decode(value, "biplane/config/_store").unwrap_err();
            assert!(error.to_string().contains("biplane/config/_store"), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
