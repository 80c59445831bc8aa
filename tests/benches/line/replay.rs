//! The floor: a server that does nothing but hand prepared responses to Envoy. What Envoy takes for the same bytes
//! from this server is Envoy's own share of a change; no control plane can be faster.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};
use biplane_testkit::xds::Resource;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::sync::mpsc;

use crate::exchange::{Exchange, Heard};
use crate::message::{Head, Prepared, Side, Splitter};
use crate::relay::{Outgoing, serve};

/// Resources by type and name.
pub(crate) type Resources = BTreeMap<String, BTreeMap<String, Resource>>;

/// A running replay server, for one Envoy.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Where Envoy connects.
    pub(crate) address: SocketAddr,
    /// What is said.
    pub(crate) exchange: Exchange,
    mouth: Arc<Mutex<Option<Mouth>>>,
}

/// Speaks on a stream.
#[derive(Clone, Debug)]
struct Mouth {
    pieces: mpsc::UnboundedSender<Bytes>,
    heard: mpsc::UnboundedSender<Heard>,
    said: Arc<Mutex<u64>>,
}

impl Replay {
    /// Answers with `resources` until the runtime ends.
    pub(crate) async fn start(resources: Resources) -> Result<Self> {
        let (heard, exchange) = Exchange::new();
        let mouth = Arc::new(Mutex::new(None));
        let (resources, current) = (Arc::new(resources), mouth.clone());
        let handle = move |request: Request<Incoming>| {
            let (pieces, outgoing) = mpsc::unbounded_channel();
            let mouth = Mouth { pieces, heard: heard.clone(), said: Arc::default() };
            *current.lock().unwrap_or_else(PoisonError::into_inner) = Some(mouth.clone());
            tokio::spawn(answer(request, resources.clone(), mouth));
            let response = Response::builder().header("content-type", "application/grpc");
            std::future::ready(response.body(Outgoing(outgoing)).context("a response"))
        };
        Ok(Self { address: serve(handle).await?, exchange, mouth })
    }

    /// Sends a response to the Envoy that is connected.
    pub(crate) fn push(&self, response: &Prepared) {
        let mouth = self.mouth.lock().unwrap_or_else(PoisonError::into_inner);
        mouth.as_ref().expect("Envoy is connected").say(response);
    }
}

impl Mouth {
    fn say(&self, response: &Prepared) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        *said += 1;
        let nonce = said.to_string();
        let (pieces, size) = response.with_nonce(&nonce);
        let head = Head { type_url: response.type_url.clone(), nonce, size, ..Head::default() };
        // Told before it is sent: Envoy's answer must not be heard first.
        let _ = self.heard.send(Heard { at: Instant::now(), side: Side::Server, head });
        for piece in pieces {
            let _ = self.pieces.send(piece);
        }
    }
}

/// Answers every subscription once, with everything at once.
async fn answer(request: Request<Incoming>, resources: Arc<Resources>, mouth: Mouth) {
    let (mut body, mut splitter, mut asked) = (request.into_body(), Splitter::default(), HashSet::new());
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        for message in splitter.push(data) {
            let head = Head::read(Side::Envoy, &message);
            let first = asked.insert(head.type_url.clone());
            let response = (first || !head.subscribe.is_empty()).then(|| initial(&resources, &head));
            let _ = mouth.heard.send(Heard { at: Instant::now(), side: Side::Envoy, head });
            if let Some(response) = response {
                mouth.say(&response);
            }
        }
    }
}

fn initial(resources: &Resources, request: &Head) -> Prepared {
    let none = BTreeMap::new();
    let of_type = resources.get(&request.type_url).unwrap_or(&none);
    if request.subscribe.iter().all(|name| name == "*") {
        return Prepared::new(&request.type_url, of_type.values(), &[]);
    }
    let (known, absent): (Vec<_>, Vec<_>) =
        request.subscribe.iter().cloned().partition(|name| of_type.contains_key(name));
    Prepared::new(&request.type_url, known.iter().map(|name| &of_type[name]), &absent)
}
