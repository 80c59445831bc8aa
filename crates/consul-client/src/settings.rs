//! What can be set about a client, and the environment variables that Consul's users have set already.

use std::path::PathBuf;
use std::time::Duration;

use biplane_agent::Tls;

use crate::address::Address;
use crate::error::Error;
use crate::secret::Secret;

/// How a client reaches its agent, and what it takes from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the agent listens.
    pub address: Address,
    /// What we may do.
    pub token: Option<TokenSource>,
    /// For a proxy in front of the agent. It takes the place of nothing: the token travels beside it.
    pub basic_auth: Option<BasicAuth>,
    /// Another datacenter than the agent's own.
    pub datacenter: Option<String>,
    /// Consul Enterprise: the namespace.
    pub namespace: Option<String>,
    /// Consul Enterprise: the admin partition.
    pub partition: Option<String>,
    /// Whom we trust and who we are.
    pub tls: Tls,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long an answer may take, beside what a blocking query waits.
    pub request_timeout: Duration,
    /// How much of an answer is read before it is given up.
    pub body_max: usize,
}

/// Where the token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// It is this.
    Value(Secret),
    /// It is what this file holds at the time.
    File(PathBuf),
}

/// A user of a proxy in front of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicAuth {
    /// Who.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: Address::default(),
            token: None,
            basic_auth: None,
            datacenter: None,
            namespace: None,
            partition: None,
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            body_max: 256 * 1024 * 1024,
        }
    }
}

impl Settings {
    /// What Consul's own tools would use in this environment; an empty variable is none.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let flag = |name: &str| env(name).map(|value| truth(name, &value)).transpose();
        let tls = flag("CONSUL_HTTP_SSL")?.unwrap_or(false);
        let address = match env("CONSUL_HTTP_ADDR") {
            Some(text) => Address::parse(&text, tls).map_err(|error| about("CONSUL_HTTP_ADDR", &error))?,
            None => Address::tcp("127.0.0.1", tls)?,
        };
        Ok(Self {
            address,
            token: token(env("CONSUL_HTTP_TOKEN_FILE"), env("CONSUL_HTTP_TOKEN")),
            basic_auth: env("CONSUL_HTTP_AUTH").map(|text| BasicAuth::parse(&text)),
            namespace: env("CONSUL_NAMESPACE"),
            partition: env("CONSUL_PARTITION"),
            tls: Tls {
                ca_file: env("CONSUL_CACERT").map(PathBuf::from),
                ca_path: env("CONSUL_CAPATH").map(PathBuf::from),
                cert_file: env("CONSUL_CLIENT_CERT").map(PathBuf::from),
                key_file: env("CONSUL_CLIENT_KEY").map(PathBuf::from),
                server_name: env("CONSUL_TLS_SERVER_NAME"),
                verify: flag("CONSUL_HTTP_SSL_VERIFY")?.unwrap_or(true),
            },
            ..Self::default()
        })
    }
}

impl BasicAuth {
    /// From `user:password` or `user`.
    pub fn parse(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Self { user: user.to_owned(), password: Secret::new(password) }
    }
}

/// A file wins over a value, as with Consul's own tools.
fn token(file: Option<String>, value: Option<String>) -> Option<TokenSource> {
    file.map(|path| TokenSource::File(path.into()))
        .or_else(|| value.map(|text| TokenSource::Value(Secret::new(&text))))
}

fn truth(name: &str, text: &str) -> Result<bool, Error> {
    biplane_agent::truth(name, text).map_err(|error| Error::invalid(error.message))
}

fn about(name: &str, error: &Error) -> Error {
    Error::invalid(format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::from_env(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_means_the_agent_on_this_machine() {
        assert_eq!(settings(&[]), Ok(Settings::default()));
        assert_eq!(settings(&[("CONSUL_HTTP_ADDR", "")]), Ok(Settings::default()));
    }

    #[test]
    fn every_variable_of_consul_is_honoured() {
        let settings = settings(&[
            ("CONSUL_HTTP_ADDR", "consul.internal:8501"),
            ("CONSUL_HTTP_SSL", "true"),
            ("CONSUL_HTTP_SSL_VERIFY", "0"),
            ("CONSUL_HTTP_TOKEN", "value"),
            ("CONSUL_HTTP_TOKEN_FILE", "/run/token"),
            ("CONSUL_HTTP_AUTH", "user:pass:word"),
            ("CONSUL_CACERT", "ca.pem"),
            ("CONSUL_CAPATH", "ca"),
            ("CONSUL_CLIENT_CERT", "cert.pem"),
            ("CONSUL_CLIENT_KEY", "key.pem"),
            ("CONSUL_TLS_SERVER_NAME", "server.dc1.consul"),
            ("CONSUL_NAMESPACE", "edge"),
            ("CONSUL_PARTITION", "west"),
        ])
        .expect("all of them are good");
        let expected = Settings {
            address: Address::Tcp { host: "consul.internal".into(), port: 8501, tls: true },
            token: Some(TokenSource::File("/run/token".into())),
            basic_auth: Some(BasicAuth { user: "user".into(), password: Secret::new("pass:word") }),
            namespace: Some("edge".into()),
            partition: Some("west".into()),
            tls: Tls {
                ca_file: Some("ca.pem".into()),
                ca_path: Some("ca".into()),
                cert_file: Some("cert.pem".into()),
                key_file: Some("key.pem".into()),
                server_name: Some("server.dc1.consul".into()),
                verify: false,
            },
            ..Settings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn a_bad_variable_is_named() {
        for name in ["CONSUL_HTTP_SSL", "CONSUL_HTTP_SSL_VERIFY", "CONSUL_HTTP_ADDR"] {
            let error = settings(&[(name, "ftp://x")]).expect_err(name);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn settings_print_without_their_secrets() {
        let all = settings(&[("CONSUL_HTTP_TOKEN", "hunter2"), ("CONSUL_HTTP_AUTH", "me:hunter2")]);
        assert!(!format!("{all:?}").contains("hunter2"));
    }
}
