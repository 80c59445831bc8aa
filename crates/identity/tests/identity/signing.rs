//! An issuer of tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biplane_identity::{KeySet, KeySets};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::{Value, json};

/// A key of an issuer.
pub(crate) struct Signer {
    id: String,
    pair: KeyPair,
}

impl Signer {
    pub(crate) fn new(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("randomness");
        Self { id: id.to_owned(), pair }
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.der_bytes();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": text(&point[1..33]), "y": text(&point[33..]),
        })
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        encode(&header, claims, &key).expect("a token")
    }

    /// A token that says that it is signed with a shared secret, which is the public key.
    pub(crate) fn confuse(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &EncodingKey::from_secret(self.pair.der_bytes())).expect("a token")
    }
}

/// The keys of the issuer `nomad`.
pub(crate) fn published(signers: &[&Signer]) -> KeySets {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).expect("keys");
    KeySets::from([("nomad".to_owned(), set)])
}
