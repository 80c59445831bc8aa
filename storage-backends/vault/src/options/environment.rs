//! The variables of OpenBao's and Vault's own command lines: `BAO_*` first, then `VAULT_*`.

use std::path::PathBuf;
use std::time::Duration;

use biplane_agent::SettingError;
use biplane_core::scalars::SecretString;
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
    biplane_agent::truth(name, text).map_err(unfit)
}

/// A span of time longer than none: `30s`, or seconds without a unit.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, SourceError> {
    biplane_agent::duration(name, text).map_err(unfit)
}

/// What is wrong with a setting, as an error of a source.
pub(super) fn unfit(error: SettingError) -> SourceError {
    SourceError { hint: error.hint, ..SourceError::invalid(error.message) }
}
