//! Who signs JSON Web Tokens, as Nomad does for its workloads or an identity provider for its users.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};

/// An issuer with an Ed25519 key of its own.
#[derive(Debug)]
pub struct JwtIssuer {
    key: KeyPair,
}

impl Default for JwtIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl JwtIssuer {
    /// A new issuer.
    pub fn new() -> Self {
        Self { key: KeyPair::generate_for(&PKCS_ED25519).expect("the system gives us randomness") }
    }

    /// Its public key, as PEM.
    pub fn public_key(&self) -> String {
        self.key.public_key_pem()
    }

    /// Its public key, as a JSON Web Key Set.
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.der_bytes());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x }] }).to_string()
    }

    /// A token with these claims: `sub`, `aud`, `exp`, `iat`.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT" });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.key.sign(signed.as_bytes()).expect("an Ed25519 key signs anything");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
