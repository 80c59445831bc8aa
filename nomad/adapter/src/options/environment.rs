//! The variables of Nomad's own command line, and those that Nomad sets for its tasks.

use std::path::PathBuf;
use std::time::Duration;

use biplane_agent::SettingError;
use biplane_core::scalars::SecretString;
use biplane_source::SourceError;

use super::{Address, Tls, Token};

/// The socket of the API, among a task's secrets.
const SOCKET: &str = "api.sock";

/// A task's identity, there too, if its job asks for the file.
const IDENTITY: &str = "nomad_token";

/// What the environment says.
pub(super) struct Environment<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Environment<'a> {
    pub(super) const fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { read }
    }

    /// The value of `NOMAD_<name>`, if it is set to something.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.read)(&format!("NOMAD_{name}")).filter(|value| !value.is_empty())
    }

    /// The agent that the command line would ask; inside a task without such a setting, the task's socket.
    pub(super) fn address(&self) -> Result<Address, SourceError> {
        if let Some(path) = self.get("UNIX_SOCKET") {
            let path = path.strip_prefix("unix://").unwrap_or(&path);
            return Address::unix(path);
        }
        if let Some(text) = self.get("ADDR") {
            return Address::from_variable("NOMAD_ADDR", &text);
        }
        match self.secrets() {
            Some(directory) => Ok(Address::Unix(directory.join(SOCKET))),
            None => Address::new("127.0.0.1", false),
        }
    }

    /// The token of the command line; inside a task without one, the task's own.
    pub(super) fn token(&self) -> Option<Token> {
        let value = self.get("TOKEN").map(|token| Token::Value(SecretString::new(token.trim())));
        value.or_else(|| self.identity().map(Token::File))
    }

    /// The file with a task's identity, if this is a task.
    pub(super) fn identity(&self) -> Option<PathBuf> {
        self.secrets().map(|directory| directory.join(IDENTITY))
    }

    fn secrets(&self) -> Option<PathBuf> {
        self.get("SECRETS_DIR").map(PathBuf::from)
    }

    pub(super) fn tls(&self) -> Result<Tls, SourceError> {
        let path = |name| self.get(name).map(PathBuf::from);
        let skip = self.get("SKIP_VERIFY").map(|text| truth("NOMAD_SKIP_VERIFY", &text)).transpose()?;
        Ok(Tls {
            ca_file: path("CACERT"),
            ca_path: path("CAPATH"),
            cert_file: path("CLIENT_CERT"),
            key_file: path("CLIENT_KEY"),
            server_name: self.get("TLS_SERVER_NAME"),
            verify: !skip.unwrap_or(false),
        })
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
