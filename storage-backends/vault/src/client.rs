//! One question to the server and its answer: requests are described by vaultrs, and carried by a client of ours.
//!
//! vaultrs knows paths and fields of the API ([`rustify::Endpoint`]). Its own way of sending them reads bodies
//! without a limit, keeps them in ordinary memory and in errors, logs what the server says at level error, and drops
//! the header that tells how long to stay away. See docs/adr/0005-vault-client.md.
//!
//! Invariant: a token is in a header that is marked as secret, and nowhere else; no error repeats a body.

mod answer;
mod call;
mod failure;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use biplane_agent::{Gate, Transport};
use biplane_core::scalars::SecretString;
use biplane_source::SourceError;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, LOCATION};
use reqwest::{Response, Url};
use rustify::Endpoint;
use tokio::time::{Instant, timeout_at};
use vaultrs::api::EndpointMiddleware;

use crate::counters::Tally;
use crate::options::{Address, VaultOptions};
use crate::pace;
pub(crate) use answer::{Answer, Grant, Json};
pub(crate) use call::{Call, Plain};
pub(crate) use failure::{Failure, Kind};

/// The header that a token is in.
const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");

/// How many servers a request is sent on to: a standby sends it to the active one, and that is all.
const REDIRECTS_MAX: usize = 2;

/// How long after the time that it has asked for a server is asked again, give or take.
const MOMENT: Duration = Duration::from_millis(50);

/// A client of one server. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    gate: Gate,
    address: Address,
    /// What requests are made for: the address, or the name that its certificate has.
    base: String,
    /// Adds the API's version and the namespace. It never gets a token: it would show it.
    middleware: EndpointMiddleware,
    /// The same without a namespace, for what only the root has.
    root: EndpointMiddleware,
    timeout: Duration,
    tally: Arc<Tally>,
}

impl Client {
    pub(crate) fn new(options: &VaultOptions, tally: Arc<Tally>) -> Result<Self, SourceError> {
        let middleware = |namespace| EndpointMiddleware {
            token: String::new(),
            version: "v1".to_owned(),
            wrap: None,
            namespace,
        };
        let inner = Inner {
            transport: transport::connect(&options.address, &options.tls)?,
            gate: Gate::new(options.tuning.max_requests),
            base: transport::base(&options.address, &options.tls),
            address: options.address.clone(),
            middleware: middleware(options.namespace.clone()),
            root: middleware(None),
            timeout: options.timeout,
            tally,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// As people know it.
    pub(crate) fn address(&self) -> String {
        self.inner.address.to_string()
    }

    /// How long one question may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.inner.tally
    }

    /// A question that is made once and may be sent often.
    pub(crate) fn call<E: Endpoint>(
        &self,
        what: impl Into<String>,
        endpoint: E,
    ) -> Result<Call, SourceError> {
        Call::new(what.into(), endpoint, &self.inner.base, &self.inner.middleware)
    }

    /// A question to the root namespace.
    pub(crate) fn root_call<E: Endpoint>(&self, what: &str, endpoint: E) -> Result<Call, SourceError> {
        Call::new(what.to_owned(), endpoint, &self.inner.base, &self.inner.root)
    }

    /// Sends it. "Not found" is an answer, every other status that is no success a failure. Somebody who is told to come
    /// back later does so, for as long as the deadline allows.
    pub(crate) async fn send(&self, call: &Call, token: Option<&SecretString>) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.inner.timeout;
        let attempts = self.inner.attempts(call, token, deadline);
        timeout_at(deadline, attempts).await.unwrap_or_else(|_| {
            self.inner.tally.unanswered();
            Err(Failure::too_slow(call, &self.address(), self.inner.timeout))
        })
    }
}

impl Inner {
    async fn attempts(
        &self,
        call: &Call,
        token: Option<&SecretString>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        loop {
            let outcome = match self.gate.enter(deadline).await {
                Ok(_permit) => self.follow(call, token).await,
                Err(pause) => return Err(Failure::held_back(call, &self.address.to_string(), pause)),
            };
            match outcome {
                Err(Failure { kind: Kind::RateLimited(pause), error }) => {
                    if !self.gate.close(pause + pace::around(MOMENT), deadline) {
                        return Err(Failure { kind: Kind::RateLimited(pause), error });
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends the request, and on to where a standby points.
    async fn follow(&self, call: &Call, token: Option<&SecretString>) -> Result<Answer, Failure> {
        let mut url = call.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.once(call, url.clone(), token).await?;
            match self.elsewhere(&response, &url) {
                Some(next) => url = next,
                None => return self.read(call, response, token).await,
            }
        }
        Err(Failure::goes_round(call, &self.address.to_string()))
    }

    async fn once(&self, call: &Call, url: Url, token: Option<&SecretString>) -> Result<Response, Failure> {
        let mut request = reqwest::Request::new(call.method.clone(), url);
        *request.headers_mut() = call.headers.clone();
        if let Some(token) = token {
            request.headers_mut().insert(TOKEN, header(call, token)?);
        }
        // The bytes stay the call's, which wipes them.
        *request.body_mut() = Some(Bytes::clone(&call.body).into());
        let response = self.transport.http().execute(request).await.map_err(|error| {
            self.tally.unanswered();
            Failure::unreachable(call, &self.address, &error)
        })?;
        self.tally.answered(response.status().as_u16());
        Ok(response)
    }

    /// Where a standby sends us, unless that would show the token to anybody on the way or lead to a server whose name
    /// is another one than was set.
    fn elsewhere(&self, response: &Response, from: &Url) -> Option<Url> {
        let is_redirect = matches!(response.status().as_u16(), 307 | 308);
        let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
        let next = from.join(location.to_str().ok()?).ok()?;
        let is_safe = next.scheme() == from.scheme() || next.scheme() == "https";
        (is_safe && self.base == self.address.to_string()).then_some(next)
    }

    async fn read(
        &self,
        call: &Call,
        response: Response,
        token: Option<&SecretString>,
    ) -> Result<Answer, Failure> {
        let answer = Answer::read(response).await.map_err(|error| match error {
            answer::ReadError::Http(error) => Failure::unreachable(call, &self.address, &error),
            answer::ReadError::TooLarge => Failure::too_large(call, &self.address.to_string()),
        })?;
        match answer.status {
            200..=299 | 404 => Ok(answer),
            _ => Err(Failure::refused(call, &self.address, &answer, token)),
        }
    }
}

/// A header's value that no log shows.
fn header(call: &Call, token: &SecretString) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(token.expose()).map_err(|_| Failure::unfit_token(call))?;
    value.set_sensitive(true);
    Ok(value)
}
