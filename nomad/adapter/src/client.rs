//! One question to Nomad and its answer: a deadline, a place among those under way, a token, a bounded body.
//!
//! Invariant: a token is in a header that is marked as secret, and nowhere else; no error repeats a body's values.

mod answer;
mod failure;
mod stream;
mod token;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use biplane_agent::{Gate, Transport};
use biplane_core::scalars::SecretString;
use biplane_source::{SourceError, pace};
use http::header::{HeaderName, HeaderValue};
use reqwest::{Response, Url};
use tokio::time::{Instant, timeout_at};

use crate::counters::{Tally, count};
use crate::options::NomadOptions;
pub(crate) use answer::{Answer, Meta};
pub(crate) use failure::{Failure, Kind};
pub(crate) use stream::Lines;
use token::TokenHolder;

/// The header that a token is in.
const TOKEN: HeaderName = HeaderName::from_static("x-nomad-token");

/// How long after the time that it has asked for an agent is asked again, give or take.
const MOMENT: Duration = Duration::from_millis(50);

/// A client of one agent. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    gate: Gate,
    /// For questions that go on to a node, which may be gone: they hold up no others.
    slow_gate: Gate,
    token: TokenHolder,
    /// What requests are made for: the address, or the name that its certificate has.
    base: Url,
    /// As people know it.
    address: String,
    timeout: Duration,
    staleness_max: Duration,
    tally: Arc<Tally>,
}

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// As an infinitive: `list the services of namespace team`.
    pub(crate) what: String,
    /// What a policy has to allow for it.
    pub(crate) right: String,
    /// The segments of its path.
    path: Vec<String>,
    parameters: Vec<(&'static str, String)>,
    timeout: Option<Duration>,
}

impl Call {
    /// `GET` of a path, given by its segments.
    pub(crate) fn get(what: impl Into<String>, path: &[&str]) -> Self {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        Self { what: what.into(), right: String::new(), path, parameters: Vec::new(), timeout: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    /// The same, with the right that it takes.
    pub(crate) fn needs(mut self, right: impl Into<String>) -> Self {
        self.right = right.into();
        self
    }

    /// The same, with less patience than others: a question that may well not be answered.
    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Client {
    /// A client; it connects when it is first used, and again whenever it has to.
    pub(crate) fn new(options: &NomadOptions, tally: Arc<Tally>) -> Result<Self, SourceError> {
        let inner = Inner {
            transport: transport::connect(&options.address, &options.tls, options.timeout)?,
            gate: Gate::new(options.tuning.max_requests),
            slow_gate: Gate::new(options.tuning.max_requests / 2),
            token: TokenHolder::new(options.token.clone()),
            base: transport::base(&options.address, &options.tls)?,
            address: options.address.to_string(),
            timeout: options.timeout,
            staleness_max: options.tuning.staleness_max,
            tally,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// As people know it.
    pub(crate) fn address(&self) -> &str {
        &self.inner.address
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.inner.tally
    }

    /// Sends it; every status that is no success is a failure. Who is told to come back later does so, for as long as
    /// the deadline allows.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Failure> {
        let patience = call.timeout.unwrap_or(self.inner.timeout);
        let deadline = Instant::now() + patience;
        timeout_at(deadline, self.inner.attempts(call, deadline)).await.unwrap_or_else(|_| {
            count(&self.inner.tally.unanswered);
            Err(Failure::too_slow(call, self.address(), patience))
        })
    }

    /// Sends a read whose answer says how far it may be believed, and looks at that.
    pub(crate) async fn read(&self, call: &Call) -> Result<(Answer, Meta), Failure> {
        let answer = self.send(call).await?;
        let meta = answer.meta.ok_or_else(|| Failure::malformed(call, self.address()))?;
        if !meta.known_leader {
            return Err(Failure::without_leader(call, self.address()));
        }
        if meta.last_contact > self.inner.staleness_max {
            return Err(Failure::stale(call, self.address(), meta.last_contact));
        }
        Ok((answer, meta))
    }

    /// Opens a stream that has no end of its own.
    pub(crate) async fn open(&self, call: &Call) -> Result<Lines, Failure> {
        let deadline = Instant::now() + self.inner.timeout;
        let opening = async {
            let (response, token) = self.inner.exchange(call).await?;
            if !response.status().is_success() {
                return Err(self
                    .inner
                    .read(call, response, token.as_ref())
                    .await
                    .err()
                    .unwrap_or_else(|| Failure::malformed(call, self.address())));
            }
            Ok(Lines::new(response, call.clone(), self.inner.address.clone()))
        };
        timeout_at(deadline, opening)
            .await
            .unwrap_or_else(|_| Err(Failure::too_slow(call, self.address(), self.inner.timeout)))
    }
}

impl Inner {
    async fn attempts(&self, call: &Call, deadline: Instant) -> Result<Answer, Failure> {
        loop {
            let gate = if call.timeout.is_some() { &self.slow_gate } else { &self.gate };
            let outcome = match gate.enter(deadline).await {
                Ok(_permit) => self.once(call).await,
                Err(pause) => return Err(Failure::held_back(call, &self.address, pause)),
            };
            match outcome {
                Err(Failure { kind: Kind::RateLimited(pause), error }) => {
                    let moment = pause + pace::around(MOMENT);
                    let reopens = [&self.gate, &self.slow_gate].map(|gate| gate.close(moment, deadline));
                    if reopens.contains(&false) {
                        return Err(Failure { kind: Kind::RateLimited(pause), error });
                    }
                }
                outcome => return outcome,
            }
        }
    }

    async fn once(&self, call: &Call) -> Result<Answer, Failure> {
        let (response, token) = self.exchange(call).await?;
        self.read(call, response, token.as_ref()).await
    }

    /// Sends it; after a refusal once more, if the token in the file has become another one.
    async fn exchange(&self, call: &Call) -> Result<(Response, Option<SecretString>), Failure> {
        let token = self.token.current();
        let response = self.request(call, token.as_ref()).await?;
        if !matches!(response.status().as_u16(), 401 | 403) {
            return Ok((response, token));
        }
        match self.token.other_than(token.as_ref()) {
            Some(renewed) => Ok((self.request(call, Some(&renewed)).await?, Some(renewed))),
            None => Ok((response, token)),
        }
    }

    async fn request(&self, call: &Call, token: Option<&SecretString>) -> Result<Response, Failure> {
        let mut request = reqwest::Request::new(http::Method::GET, self.url(call));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose()).map_err(|_| Failure::unfit_token(call))?;
            value.set_sensitive(true);
            request.headers_mut().insert(TOKEN, value);
        }
        self.tally.requests.fetch_add(1, Ordering::Relaxed);
        let response = self.transport.http().execute(request).await.map_err(|error| {
            count(&self.tally.unanswered);
            Failure::unreachable(call, &self.address, &error)
        })?;
        self.tally.answered(response.status().as_u16());
        Ok(response)
    }

    fn url(&self, call: &Call) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("the base has a host").extend(&call.path);
        if !call.parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.parameters);
        }
        url
    }

    async fn read(
        &self,
        call: &Call,
        response: Response,
        token: Option<&SecretString>,
    ) -> Result<Answer, Failure> {
        let answer = Answer::read(response).await.map_err(|error| match error {
            answer::ReadError::Http(error) => Failure::unreachable(call, &self.address, &error),
            answer::ReadError::TooLarge => Failure::too_large(call, &self.address),
        })?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(Failure::refused(call, &self.address, &answer, token)),
        }
    }
}

/// Without what it holds.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.inner.address).finish_non_exhaustive()
    }
}
