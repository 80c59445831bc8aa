//! Which requests the proxy answers itself, and which it has seen.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use hyper::{Method, Uri};

/// So many times that a test never sees the end of it.
pub const ALWAYS: u64 = u64::MAX;

/// How many requests are remembered.
const REMEMBERED: usize = 10_000;

const NO_PANIC: &str = "nobody panics while holding this lock";

/// Which requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matcher {
    /// Of this method only.
    pub method: Option<Method>,
    /// With a path that begins so.
    pub path_prefix: String,
    /// With this in their query.
    pub query_part: String,
    /// With all of this in their body, which is read to its end before they pass.
    pub body_parts: Vec<String>,
    /// Without any of this in their body.
    pub body_lacks: Vec<String>,
}

impl Matcher {
    /// All requests.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests whose path begins so.
    pub fn path(prefix: &str) -> Self {
        Self { path_prefix: prefix.to_owned(), ..Self::default() }
    }

    /// Of this method only.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// With this in their query only.
    #[must_use]
    pub fn query(mut self, part: &str) -> Self {
        part.clone_into(&mut self.query_part);
        self
    }

    /// With this in their body only, and with what was asked for before.
    #[must_use]
    pub fn body(mut self, part: &str) -> Self {
        self.body_parts.push(part.to_owned());
        self
    }

    /// Without this in their body only.
    #[must_use]
    pub fn body_without(mut self, part: &str) -> Self {
        self.body_lacks.push(part.to_owned());
        self
    }

    /// Whether rules need the body to tell.
    pub(super) fn looks_at_bodies(&self) -> bool {
        !self.body_parts.is_empty() || !self.body_lacks.is_empty()
    }

    /// Whether a request is one of them.
    pub fn matches(&self, method: &Method, uri: &Uri, body: &[u8]) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && uri.path().starts_with(&self.path_prefix)
            && uri.query().unwrap_or_default().contains(&self.query_part)
            && self.matches_body(&String::from_utf8_lossy(body))
    }

    fn matches_body(&self, body: &str) -> bool {
        let has = |part: &String| body.contains(part);
        self.body_parts.iter().all(has) && !self.body_lacks.iter().any(has)
    }
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A status, and nothing more.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says something.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub target: String,
    /// Whether the proxy has answered it.
    pub answered: bool,
}

/// The rules in force, oldest first, and the account.
#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rules: Vec<(Matcher, Answer, u64)>,
    seen: VecDeque<Seen>,
    requests: u64,
    answered: u64,
}

impl Rules {
    pub(super) fn add(&self, matcher: Matcher, answer: Answer, times: u64) {
        self.0.lock().expect(NO_PANIC).rules.push((matcher, answer, times));
    }

    pub(super) fn clear(&self) {
        self.0.lock().expect(NO_PANIC).rules.clear();
    }

    /// Whether a rule looks at bodies.
    pub(super) fn wants_bodies(&self) -> bool {
        self.0.lock().expect(NO_PANIC).rules.iter().any(|(matcher, ..)| matcher.looks_at_bodies())
    }

    /// Counts a request, and takes the answer to it if there is a rule.
    pub(super) fn decide(&self, method: &Method, uri: &Uri, body: &[u8]) -> Option<Answer> {
        let mut state = self.0.lock().expect(NO_PANIC);
        let answer = state.take(method, uri, body);
        state.requests += 1;
        state.answered += u64::from(answer.is_some());
        if state.seen.len() == REMEMBERED {
            state.seen.pop_front();
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let seen = Seen { at: Instant::now(), method: method.clone(), target, answered: answer.is_some() };
        state.seen.push_back(seen);
        answer
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.0.lock().expect(NO_PANIC).seen.iter().cloned().collect()
    }

    pub(super) fn requests(&self) -> u64 {
        self.0.lock().expect(NO_PANIC).requests
    }

    pub(super) fn answered(&self) -> u64 {
        self.0.lock().expect(NO_PANIC).answered
    }
}

impl State {
    fn take(&mut self, method: &Method, uri: &Uri, body: &[u8]) -> Option<Answer> {
        let mut live = self.rules.iter_mut().filter(|(_, _, left)| *left > 0);
        let (_, answer, left) = live.find(|(matcher, ..)| matcher.matches(method, uri, body))?;
        *left -= 1;
        Some(answer.clone())
    }
}
