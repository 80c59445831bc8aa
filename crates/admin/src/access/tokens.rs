//! Tokens: made once, shown once, and known here by their hash only.
//!
//! A file holds a line a token: `NAME ROLE SHA256 [until=TIME]`. The token is 256 bits of
//! chance, so its plain hash tells nothing that could be guessed at.

mod file;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biplane_core::scalars::Timestamp;
use zeroize::Zeroizing;

pub(super) use file::TokenFile;

/// What all tokens begin with, so that a scanner finds one that was committed by mistake.
const MARK: &str = "biplane_";

/// The longest name of a token.
const LONGEST_NAME: usize = 64;

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// See everything but secrets, and try changes out (dry runs).
    Read,
    /// Change resources too.
    Write,
}

/// A token as the file knows it; its text form is a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRule {
    /// Who holds it: what logs and histories say.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The SHA-256 of the token.
    pub sha256: [u8; 32],
    /// From when on it is not known any more.
    pub until: Option<Timestamp>,
}

/// A token that was just made. It can be had once: nothing keeps it.
pub struct NewToken {
    /// What the holder sends.
    pub token: Zeroizing<String>,
    /// What goes into the file.
    pub rule: TokenRule,
}

/// Why a line is no token, or none could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A name cannot be told from the rest of its line, or is too long.
    #[error("{0:?} cannot be the name of a token: use letters, digits, `-`, `_`, `.` and `@`, at most 64")]
    Name(String),
    /// There is no such role.
    #[error("{0:?} is no role: write read or write")]
    Role(String),
    /// The line has other parts.
    #[error("a line holds NAME ROLE SHA256, and until=2027-01-31T00:00:00Z if it is to end")]
    Shape,
    /// The hash is none.
    #[error(
        "the hash of {0} is not 64 hexadecimal digits: put the line of `biplane admin token new` here, not the token"
    )]
    Hash(String),
    /// The machine has no randomness to give.
    #[error("no randomness: {0}")]
    Random(String),
}

impl NewToken {
    /// Makes a token.
    pub fn generate(name: &str, role: Role, until: Option<Timestamp>) -> Result<Self, TokenError> {
        check_name(name)?;
        let mut chance = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *chance).map_err(|error| TokenError::Random(error.to_string()))?;
        let token = Zeroizing::new(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(*chance)));
        let sha256 = hash(&token);
        Ok(Self { token, rule: TokenRule { name: name.to_owned(), role, sha256, until } })
    }
}

/// Not the token.
impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl FromStr for Role {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            other => Err(TokenError::Role(other.chars().take(32).collect())),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

impl FromStr for TokenRule {
    type Err = TokenError;

    fn from_str(line: &str) -> Result<Self, TokenError> {
        let mut words = line.split_whitespace();
        let (Some(name), Some(role), Some(digits)) = (words.next(), words.next(), words.next()) else {
            return Err(TokenError::Shape);
        };
        check_name(name)?;
        let role = role.parse()?;
        let sha256 = from_hex(digits).ok_or_else(|| TokenError::Hash(name.to_owned()))?;
        let until = words.next().map(until).transpose()?;
        match words.next() {
            None => Ok(Self { name: name.to_owned(), role, sha256, until }),
            Some(_) => Err(TokenError::Shape),
        }
    }
}

impl fmt::Display for TokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.name, self.role)?;
        for byte in self.sha256 {
            write!(f, "{byte:02x}")?;
        }
        self.until.map_or(Ok(()), |until| write!(f, " until={until}"))
    }
}

fn until(word: &str) -> Result<Timestamp, TokenError> {
    let time = word.strip_prefix("until=").ok_or(TokenError::Shape)?;
    time.parse().map_err(|_| TokenError::Shape)
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(plain) {
        return Ok(());
    }
    Err(TokenError::Name(name.chars().take(LONGEST_NAME).collect()))
}

fn hash(token: &str) -> [u8; 32] {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn from_hex(digits: &str) -> Option<[u8; 32]> {
    let valid = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2).filter(|_| valid)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_what_it_writes() {
        let until = Some("2027-01-31T00:00:00Z".parse().expect("a time"));
        for until in [None, until] {
            let made = NewToken::generate("ci", Role::Write, until).expect("randomness");
            assert_eq!(made.rule.to_string().parse(), Ok(made.rule.clone()));
            assert_eq!(made.rule.sha256, hash(&made.token));
        }
    }

    #[test]
    fn no_two_tokens_are_alike_and_none_is_shown() {
        let made = || NewToken::generate("ci", Role::Read, None).expect("randomness");
        let (one, other) = (made(), made());
        assert_ne!(*one.token, *other.token);
        assert!(one.token.starts_with("biplane_") && one.token.len() == 51, "{} bytes", one.token.len());
        assert!(!format!("{one:?}").contains(one.token.as_str()));
    }

    #[test]
    fn a_line_that_is_no_token_is_refused() {
        let hash = "0".repeat(64);
        for line in [
            String::new(),
            "ci write".to_owned(),
            format!("ci admin {hash}"),
            format!("c:i write {hash}"),
            format!("ci write {}", &hash[1..]),
            format!("ci write {hash} 2027-01-31"),
            format!("ci write {hash} until=tomorrow"),
            format!("ci write {hash} until=2027-01-31T00:00:00Z more"),
        ] {
            assert!(line.parse::<TokenRule>().is_err(), "{line}");
        }
    }
}
