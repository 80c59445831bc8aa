//! Stands in front of moto, counts calls by what they do, and answers some of them otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const NO_PANIC: &str = "nobody panics while holding this lock";

/// A running proxy, until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: String,
    http: reqwest::Client,
    state: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    rules: Vec<Rule>,
    calls: BTreeMap<String, usize>,
    bodies: Vec<String>,
    /// The ids of the keys that signed.
    keys: BTreeSet<String>,
    /// How long AWS has taken for all of them.
    time: Duration,
}

/// What becomes of some calls.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Calls with all of this in their forms.
    pub(crate) with: Vec<&'static str>,
    pub(crate) fate: Fate,
    /// How many of them; `None`: all.
    pub(crate) times: Option<usize>,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It is refused with this status and code, in EC2's form.
    Refused(u16, &'static str),
    /// It is answered with this, and 200.
    Answered(&'static str),
    /// It is answered so much later.
    Late(Duration),
}

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let shared = Shared { target: format!("http://{target}/"), http, state: Mutex::default() };
        let shared = Arc::new(shared);
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, shared, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, before all earlier rules.
    pub(crate) fn rule(&self, with: &[&'static str], fate: Fate, times: Option<usize>) {
        self.state().rules.insert(0, Rule { with: with.to_vec(), fate, times });
    }

    pub(crate) fn heal(&self) {
        self.state().rules.clear();
    }

    /// How many calls of this action have come.
    pub(crate) fn calls(&self, action: &str) -> usize {
        self.state().calls.get(action).copied().unwrap_or_default()
    }

    /// The forms of all calls.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.state().bodies.clone()
    }

    /// The ids of the keys that have signed calls.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        self.state().keys.clone()
    }

    /// How long AWS has taken for all calls together.
    pub(crate) fn time(&self) -> Duration {
        self.state().time
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.shared.state.lock().expect(NO_PANIC)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Faults {
    fn decide(&mut self, body: &str) -> Option<Fate> {
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
        *self.calls.entry(action.to_owned()).or_default() += 1;
        self.bodies.push(body.to_owned());
        let applies =
            |rule: &&mut Rule| rule.times != Some(0) && rule.with.iter().all(|part| body.contains(part));
        let rule = self.rules.iter_mut().find(applies)?;
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.fate.clone())
    }
}

async fn pass(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let fate = {
        let mut state = shared.state.lock().expect(NO_PANIC);
        state.keys.extend(key(&headers));
        state.decide(&String::from_utf8_lossy(&body))
    };
    match fate {
        Some(Fate::Refused(status, code)) => {
            let answer = format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
            );
            return (StatusCode::from_u16(status).expect("a status"), answer);
        }
        Some(Fate::Answered(answer)) => return (StatusCode::OK, answer.to_owned()),
        Some(Fate::Late(time)) => sleep(time).await,
        None => {}
    }
    let request = shared.http.post(&shared.target).headers(headers).body(body);
    let started = Instant::now();
    let answer = request.send().await.expect("moto is there");
    let answer = (answer.status(), answer.text().await.expect("an answer"));
    shared.state.lock().expect(NO_PANIC).time += started.elapsed();
    answer
}

/// `Credential=AKID/20260101/...`
fn key(headers: &HeaderMap) -> Option<String> {
    let signature = headers.get("authorization")?.to_str().ok()?;
    let (_, credential) = signature.split_once("Credential=")?;
    Some(credential.split('/').next()?.to_owned())
}
