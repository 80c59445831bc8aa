//! Tokens that Biplane issues itself: made once, shown once, and known by their hash only.
//!
//! A token is 256 bits of chance, so its plain hash tells nothing that could be guessed at.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// What all tokens of nodes begin with, so that a scanner finds one that was committed by mistake.
const MARK: &str = "biplane_node_";

/// The SHA-256 of a token, in hexadecimal digits where people see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256([u8; 32]);

/// A token that was just made. It can be had once: nothing keeps it.
pub struct IssuedToken {
    /// What the node sends.
    pub token: Zeroizing<String>,
    /// What goes into the rule.
    pub sha256: Sha256,
}

/// The machine has no randomness to give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness: {0}")]
pub struct NoRandomness(String);

impl IssuedToken {
    /// Makes a token.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut chance = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *chance).map_err(|error| NoRandomness(error.to_string()))?;
        let token = Zeroizing::new(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(*chance)));
        let sha256 = Sha256::of(&token);
        Ok(Self { token, sha256 })
    }
}

/// Not the token.
impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl Sha256 {
    /// The hash of a token.
    pub fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    /// Whether they are equal, told in the same time whatever they are.
    pub(crate) fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// Enough of it to tell tokens apart in a log.
    pub(crate) fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it is not 64 hexadecimal digits: put the hash here, not the token".to_owned();
        let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut hash = [0; 32];
        for (index, byte) in hash.iter_mut().enumerate() {
            let pair = text.get(2 * index..2 * index + 2).filter(|_| is_hash).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_and_its_value_is_not_printed() {
        let made = IssuedToken::generate().expect("randomness");
        assert!(Sha256::of(&made.token).is(&made.sha256));
        assert!(!Sha256::of("other").is(&made.sha256));
        assert!(made.token.starts_with(MARK) && !format!("{made:?}").contains(made.token.as_str()));
        assert_eq!(made.sha256.to_string().parse(), Ok(made.sha256));
    }

    #[test]
    fn a_token_in_the_place_of_a_hash_is_refused_and_not_repeated() {
        let made = IssuedToken::generate().expect("randomness");
        let error = made.token.parse::<Sha256>().expect_err("no hash");
        assert!(!error.contains(made.token.as_str()) && error.contains("not the token"));
        assert!("é".repeat(32).parse::<Sha256>().is_err());
    }
}
