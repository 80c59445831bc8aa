//! The client: one request, its headers, its deadline, its refusal.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use biplane_agent::{Transport, root_cause};
use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, HeaderValue};

use crate::address::Address;
use crate::answer::{Raw, ReadError};
use crate::error::Error;
use crate::escape::component;
use crate::pause::Pause;
use crate::query::Query;
use crate::secret::Secret;
use crate::settings::{BasicAuth, Settings};
use crate::token::Token;
use crate::transport;
use crate::unset::{Unset, Whom};

/// A client of one agent. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    /// `http://host:port`, without a slash.
    base: String,
    /// As people know it.
    address: String,
    token: Token,
    authorization: Option<HeaderValue>,
    /// `dc`, `ns` and `partition` of every request.
    scope: Vec<(&'static str, String)>,
    request_timeout: Duration,
    body_max: usize,
    pause: Pause,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Behind `/v1/`, encoded.
    pub(crate) path: String,
    pub(crate) parameters: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// What the server may wait beside the deadline of any request.
    pub(crate) patience: Duration,
}

impl Request {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let (parameters, body) = (Vec::new(), Bytes::new());
        Self { method, path: path.into(), parameters, body, patience: Duration::ZERO }
    }

    pub(crate) fn get(path: impl Into<String>, query: &Query) -> Self {
        let request = Self::new(Method::GET, path);
        Self { parameters: query.parameters(), patience: query.patience(), ..request }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }
}

impl Client {
    /// A client; it connects when it is first used, and again whenever it has to.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let transport = transport::connect(&settings)?;
        let scope =
            [("dc", settings.datacenter), ("ns", settings.namespace), ("partition", settings.partition)];
        let inner = Inner {
            transport,
            base: base(&settings.address, settings.tls.server_name.as_deref()),
            address: settings.address.to_string(),
            token: Token::new(settings.token),
            authorization: settings.basic_auth.as_ref().map(authorization).transpose()?,
            scope: scope.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            request_timeout: settings.request_timeout,
            body_max: settings.body_max,
            pause: Pause::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The agent's address, as people know it.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// Finds out whom Consul takes us for where no token is set: anybody, or the agent. How often that has changed: if it
    /// has since something was read, the answer may have left things out without a word.
    pub async fn identify(&self) -> Result<u64, Error> {
        let Some(unset) = self.inner.token.unset() else { return Ok(0) };
        let raw = self.inner.send(&Request::new(Method::GET, "acl/token/self"), None).await?;
        unset.learn(Whom::of(&raw, self.address())?);
        Ok(unset.changes())
    }

    /// How often that had changed when it was last asked.
    pub fn identities(&self) -> u64 {
        self.inner.token.unset().map_or(0, Unset::changes)
    }

    /// Sends a request; after a refusal once more, if the token has become another one.
    pub(crate) async fn send(&self, request: Request) -> Result<Raw, Error> {
        if self.inner.token.unset().is_some_and(|unset| unset.known().is_none()) {
            self.identify().await?;
        }
        let token = self.inner.token.current();
        let raw = self.inner.send(&request, token.as_ref()).await?;
        if !refuses_token(&raw) {
            return Ok(raw);
        }
        match self.inner.token.other_than(token.as_ref()) {
            Some(renewed) => self.inner.send(&request, Some(&renewed)).await,
            None => Ok(raw),
        }
    }
}

/// Consul answers 403 to a token that it does not know, and anonymous requests get by with less.
fn refuses_token(raw: &Raw) -> bool {
    matches!(raw.status, 401 | 403)
}

impl Inner {
    async fn send(&self, request: &Request, token: Option<&Secret>) -> Result<Raw, Error> {
        if let Some((retry_after, message)) = self.pause.left(Instant::now()) {
            return Err(Error::RateLimited { address: self.address.clone(), message, retry_after });
        }
        let raw = self.exchange(request, token).await?;
        if raw.status >= 429 {
            self.pause.note(&raw.refusal(&self.address), Instant::now());
        }
        Ok(raw)
    }

    async fn exchange(&self, request: &Request, token: Option<&Secret>) -> Result<Raw, Error> {
        let deadline = self.request_timeout + request.patience;
        let mut builder =
            self.transport.http().request(request.method.clone(), self.url(request)).timeout(deadline);
        if let Some(token) = token {
            builder = builder.header("x-consul-token", header(token.expose())?);
        }
        if let Some(authorization) = &self.authorization {
            builder = builder.header(AUTHORIZATION, authorization.clone());
        }
        let response = builder.body(request.body.clone()).send().await;
        let response = response.map_err(|error| self.failure(&error, deadline))?;
        Raw::read(response, self.body_max).await.map_err(|error| match error {
            ReadError::Http(error) => self.failure(&error, deadline),
            ReadError::TooLarge(limit) => {
                Error::TooLarge { message: format!("{} answered with more than {limit} bytes", self.address) }
            }
        })
    }

    fn url(&self, request: &Request) -> String {
        let mut url = format!("{}/v1/{}", self.base, request.path);
        let mut mark = '?';
        for (name, value) in self.scope.iter().chain(&request.parameters) {
            url.push(mark);
            url.push_str(name);
            if !value.is_empty() {
                url.push('=');
                url.push_str(&component(value));
            }
            mark = '&';
        }
        url
    }

    fn failure(&self, error: &reqwest::Error, deadline: Duration) -> Error {
        let address = self.address.clone();
        if error.is_timeout() && !error.is_connect() {
            return Error::TimedOut { address, waited: deadline };
        }
        Error::Unreachable { address, message: root_cause(error) }
    }
}

fn base(address: &Address, server_name: Option<&str>) -> String {
    match address {
        Address::Unix(_) => "http://localhost".to_owned(),
        Address::Tcp { port, tls: true, .. } if server_name.is_some() => {
            format!("https://{}:{port}", server_name.unwrap_or_default())
        }
        Address::Tcp { tls, .. } => format!("{}://{address}", if *tls { "https" } else { "http" }),
    }
}

fn authorization(user: &BasicAuth) -> Result<HeaderValue, Error> {
    use base64::Engine as _;
    let pair = format!("{}:{}", user.user, user.password.expose());
    header(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

/// A header's value that no log shows.
fn header(secret: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(secret)
        .map_err(|_| Error::invalid("the token or password has characters that no header takes"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.inner.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TokenSource;

    fn settings() -> Settings {
        Settings {
            token: Some(TokenSource::Value(Secret::new("hunter2"))),
            datacenter: Some("dc 2".into()),
            namespace: Some("edge".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn a_url_bears_scope_and_parameters_and_no_token() {
        let client = Client::new(settings()).expect("good settings");
        let request = Request::get("kv/a", &Query::consistent()).with("separator", "/");
        let url = client.inner.url(&request);
        assert_eq!(url, "http://127.0.0.1:8500/v1/kv/a?dc=dc%202&ns=edge&consistent&separator=%2F");
    }

    #[test]
    fn a_client_prints_without_its_token() {
        let client = Client::new(settings()).expect("good settings");
        assert!(!format!("{client:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable_and_names_the_address() {
        let address = Address::Tcp { host: "127.0.0.1".into(), port: 1, tls: false };
        let client = Client::new(Settings { address, ..settings() }).expect("good settings");
        let error = client.leader().await.expect_err("nobody listens there");
        assert!(
            matches!(&error, Error::Unreachable { address, .. } if address == "127.0.0.1:1"),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn half_a_client_certificate_is_refused() {
        let tls = crate::Tls { cert_file: Some("cert.pem".into()), ..Default::default() };
        let address = Address::Tcp { host: "127.0.0.1".into(), port: 1, tls: true };
        assert!(matches!(Client::new(Settings { address, tls, ..settings() }), Err(Error::Invalid { .. })));
    }
}
