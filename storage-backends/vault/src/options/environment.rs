//! The variables of OpenBao's and Vault's own command lines: `BAO_*` first, then `VAULT_*`.

use std::path::PathBuf;
use std::time::Duration;

use biplane_core::scalars::{self, SecretString};
use biplane_source::SourceError;

use super::{Address, Tls};

/// Where the command lines put the token of `bao login`.
const TOKEN_FILE: &str = ".vault-token";

/// What the environment says.
pub(super) struct Environment<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Environment<'a> {
    pub(super) const fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { read }
    }

    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.read)(name).filter(|value| !value.is_empty())
    }

    /// The value of `BAO_<name>`, else of `VAULT_<name>`.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.named(name).map(|(_, value)| value)
    }

    /// With the variable's whole name.
    fn named(&self, name: &str) -> Option<(String, String)> {
        let of = |prefix: &str| {
            let name = format!("{prefix}_{name}");
            self.variable(&name).map(|value| (name, value))
        };
        of("BAO").or_else(|| of("VAULT"))
    }

    /// The server that the command lines would ask.
    pub(super) fn address(&self) -> Result<Address, SourceError> {
        match self.named("ADDR") {
            Some((name, text)) => Address::from_variable(&name, &text),
            None => Address::new("127.0.0.1", true),
        }
    }

    pub(super) fn token(&self) -> Option<SecretString> {
        self.get("TOKEN").map(|token| SecretString::new(token.trim()))
    }

    /// The file in which a login by hand leaves its token.
    pub(super) fn token_file(&self) -> Option<PathBuf> {
        self.variable("HOME").map(|home| PathBuf::from(home).join(TOKEN_FILE))
    }

    pub(super) fn tls(&self) -> Result<Tls, SourceError> {
        let path = |name| self.get(name).map(PathBuf::from);
        let skip = self.named("SKIP_VERIFY").map(|(name, text)| truth(&name, &text)).transpose()?;
        Ok(Tls {
            ca_file: path("CACERT"),
            ca_path: path("CAPATH"),
            cert_file: path("CLIENT_CERT"),
            key_file: path("CLIENT_KEY"),
            server_name: self.get("TLS_SERVER_NAME"),
            verify: !skip.unwrap_or(false),
        })
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, SourceError> {
        self.named("CLIENT_TIMEOUT").map(|(name, text)| duration(&name, &text)).transpose()
    }
}

/// A truth value as Go reads it.
pub(super) fn truth(name: &str, text: &str) -> Result<bool, SourceError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(SourceError::invalid(format!("{name} is neither true nor false"))),
    }
}

/// A span of time longer than none: `30s`, or seconds without a unit.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, SourceError> {
    let wrong = |why: String| SourceError::invalid(format!("{name}: {why}")).hint("such as 30s");
    let duration = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => text.parse::<scalars::Duration>().map_err(|error| wrong(error.to_string()))?.0,
    };
    if duration.is_zero() { Err(wrong("it is zero".to_owned())) } else { Ok(duration) }
}
