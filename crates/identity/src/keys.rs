//! The keys of issuers: JSON Web Key Sets, as far as they are of use.
//!
//! Invariant: a key comes with the algorithms that it may be used with, so that a token never chooses one; keys
//! that both sides would have to know (`oct`) are no keys.

use std::collections::BTreeMap;
use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// The key sets of issuers, by the issuers' names. One that is missing could not be read yet.
pub type KeySets = BTreeMap<String, KeySet>;

/// The most keys that a set may have.
const MOST_KEYS: usize = 64;

/// The keys of one issuer.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    /// The text that they were read from, which tells whether another reading is news.
    text: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Key {
    id: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) verifier: DecodingKey,
}

/// An answer is not a set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKeys(&'static str);

impl KeySet {
    /// Reads a set. A key of a kind that is not known costs only itself; a set without any is an error, since nobody
    /// who signs tokens has none.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeys> {
        let set: Value = serde_json::from_slice(text).map_err(|_| InvalidKeys("it is not JSON"))?;
        let all = set.get("keys").and_then(Value::as_array);
        let all = all.ok_or(InvalidKeys("it is not a JSON Web Key Set: it has no list `keys`"))?;
        if all.len() > MOST_KEYS {
            return Err(InvalidKeys("it has more than 64 keys"));
        }
        let keys: Vec<_> = all.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(InvalidKeys(
                "it has no key that tokens are signed with (RSA, P-256, P-384, Ed25519)",
            ));
        }
        Ok(Self { keys, text: text.to_vec() })
    }

    /// The key for a token: the one of its id, or the only one of its algorithm.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    /// Whether there is a key of this id, whatever it is for.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let possible = algorithms(&jwk.algorithm)?;
        let algorithms = match jwk.common.key_algorithm {
            None => possible.to_vec(),
            Some(named) => {
                let named = named.to_string().parse().ok()?;
                possible.iter().copied().filter(|algorithm| *algorithm == named).collect()
            }
        };
        let verifier = DecodingKey::from_jwk(&jwk).ok()?;
        (!algorithms.is_empty()).then_some(Self { id: jwk.common.key_id, algorithms, verifier })
    }
}

/// What a key of this kind can be used with.
fn algorithms(parameters: &AlgorithmParameters) -> Option<&'static [Algorithm]> {
    const RSA: [Algorithm; 6] = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ];
    match parameters {
        AlgorithmParameters::RSA(_) => Some(&RSA),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Some(&[Algorithm::ES256])
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
            Some(&[Algorithm::ES384])
        }
        AlgorithmParameters::OctetKeyPair(_) => Some(&[Algorithm::EdDSA]),
        AlgorithmParameters::EllipticCurve(_) | AlgorithmParameters::OctetKey(_) => None,
    }
}

impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for KeySet {}

/// Ids only: a key is public, and too long to read.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.id.as_deref().unwrap_or("(no id)"))).finish()
    }
}
