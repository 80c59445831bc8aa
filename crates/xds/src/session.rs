//! One gRPC stream: feeds requests, snapshots and time to a [`Stream`] and sends what it returns.
//!
//! The session is polled by the connection, and only when the client can take more. It holds no queue: a
//! client that does not read makes nothing pile up, and finds the newest state when it reads again.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use tracing::{debug, info, warn};

use crate::audit::Attempt;
use crate::fleets::{Fleets, NodeEntry};
use crate::metrics::{Metrics, OpenGuard};
use crate::resource::{ResourceType, Version};
use crate::seats::Seat;
use crate::snapshot::Snapshot;
use crate::standing::Standing;
use crate::status::{NodeStatus, Protocol, Rejection, TypeStatus};
use crate::stream::{Refused, Reply, Response, Stream, StreamOptions};
use crate::usage::InUse;
use crate::wire::{DeltaDiscoveryRequest, DiscoveryRequest, Message, Node};

/// The most secrets of others that a stream's asking for is told of.
const MOST_FOREIGN: usize = 16;

/// A request of either protocol.
pub(crate) trait Request: Message + Default + Send + 'static {
    const PROTOCOL: Protocol;

    fn take_node(&mut self) -> Option<Node>;
    fn type_url(&self) -> &str;
    /// The names that it asks for.
    fn names(&self) -> &[String];
    /// Whether the client holds a version from an earlier stream that is not in the snapshot.
    fn brings_unknown(&self, kind: ResourceType, snapshot: &Snapshot) -> bool;
    fn apply(self, stream: &mut Stream, kind: ResourceType, now: Instant) -> Reply;
}

impl Request for DeltaDiscoveryRequest {
    const PROTOCOL: Protocol = Protocol::Delta;

    fn brings_unknown(&self, kind: ResourceType, snapshot: &Snapshot) -> bool {
        let version = |name: &str| snapshot.get(kind, name).map(|resource| resource.version);
        let mut held = self.initial_resource_versions.iter();
        held.any(|(name, held)| version(name).is_none_or(|ours| Version::parse(held) != Some(ours)))
    }

    fn take_node(&mut self) -> Option<Node> {
        self.node.take()
    }

    fn type_url(&self) -> &str {
        &self.type_url
    }

    fn names(&self) -> &[String] {
        &self.resource_names_subscribe
    }

    fn apply(self, stream: &mut Stream, kind: ResourceType, now: Instant) -> Reply {
        stream.on_delta_request(kind, self, now)
    }
}

impl Request for DiscoveryRequest {
    const PROTOCOL: Protocol = Protocol::Sotw;

    /// It tells a version of the whole only, which says nothing here.
    fn brings_unknown(&self, _: ResourceType, _: &Snapshot) -> bool {
        !self.version_info.is_empty() && self.response_nonce.is_empty()
    }

    fn take_node(&mut self) -> Option<Node> {
        self.node.take()
    }

    fn type_url(&self) -> &str {
        &self.type_url
    }

    fn names(&self) -> &[String] {
        &self.resource_names
    }

    fn apply(self, stream: &mut Stream, kind: ResourceType, now: Instant) -> Reply {
        stream.on_sotw_request(kind, self, now)
    }
}

/// What a session has of the server.
pub(crate) struct Context {
    pub(crate) fleets: Fleets,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: CancellationToken,
    pub(crate) standing: Standing,
    /// The one type of the stream, if it is not for all.
    pub(crate) only: Option<ResourceType>,
    pub(crate) response_bytes: usize,
    /// When the stream is ended so that the client may find another replica.
    pub(crate) until: Option<Instant>,
    /// How long the client may take to say who it is, once it is listened to.
    pub(crate) first_request: Duration,
    /// The stream's share of the limits, given back with it.
    pub(crate) _seat: Seat,
    /// Keeps the connection.
    pub(crate) _in_use: InUse,
}

/// The responses to a stream of requests.
pub(crate) fn responses<R: Request>(
    requests: Streaming<R>,
    context: Context,
) -> BoxStream<'static, Result<Response, Status>> {
    let session = Session {
        requests,
        open: context.fleets.watch_open(),
        context,
        connected: None,
        silent_until: None,
        catching_up: None,
        parked: None,
        caught_up: false,
    };
    let next = |session: Option<Session<R>>| async {
        let mut session = session?;
        match session.next().await {
            Ok(response) => response.map(|response| (Ok(response), Some(session))),
            Err(status) => Some((Err(status), None)),
        }
    };
    stream::unfold(Some(session), next).boxed()
}

struct Session<R> {
    requests: Streaming<R>,
    open: watch::Receiver<bool>,
    context: Context,
    connected: Option<Connected>,
    /// When the client has to have said who it is.
    silent_until: Option<Instant>,
    /// What a request that brought unknown versions waits for, and that request. Nothing is read behind it.
    catching_up: Option<BoxFuture<'static, ()>>,
    parked: Option<(ResourceType, R)>,
    caught_up: bool,
}

/// What is known once the client has said who it is.
struct Connected {
    id: String,
    fleet: String,
    stream: Stream,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    entry: NodeEntry,
    /// The secrets of other fleets that it has asked for, each told once.
    foreign: BTreeSet<String>,
    refusals_listed: bool,
    /// Both clocks at one moment, to tell the time of day of events.
    clocks: (Instant, SystemTime),
    _counted: OpenGuard,
}

enum Event<R> {
    Shutdown,
    Expired,
    /// What the caller was let in for may have ended.
    Rejudge,
    Snapshot,
    Open,
    Request(Option<R>),
    Silence,
    Timer,
    CaughtUp,
}

impl<R: Request> Session<R> {
    /// The next response; nothing when the client has ended the stream.
    async fn next(&mut self) -> Result<Option<Response>, Status> {
        loop {
            if let Some(response) = self.next_response() {
                return Ok(Some(response));
            }
            match self.event().await? {
                Event::Shutdown => return Err(Status::unavailable("the server is shutting down")),
                Event::Expired => {
                    return Err(Status::unavailable("the stream has reached its age: connect again"));
                }
                Event::Rejudge => self.rejudge().await?,
                Event::Request(None) => return Ok(None),
                Event::Request(Some(request)) => self.take(request)?,
                Event::Silence => return Err(self.silent()),
                Event::Snapshot => self.advance(),
                Event::CaughtUp => self.unpark(),
                Event::Open | Event::Timer => {}
            }
        }
    }

    fn next_response(&mut self) -> Option<Response> {
        if self.catching_up.is_some() {
            return None;
        }
        let connected = self.connected.as_mut()?;
        let response = connected.stream.next_response(Instant::now())?;
        debug!(node = connected.id, kind = %response.kind, nonce = response.nonce, resources = response.resources,
            removed = response.removed, bytes = response.len(), "response");
        self.context.metrics.sent(&response);
        connected.list();
        Some(response)
    }

    /// Nothing is read before the gate is open: what a client brings along from an earlier stream can only
    /// be compared with a snapshot that is there.
    async fn gate(&mut self) -> Option<Event<R>> {
        if *self.open.borrow_and_update() {
            return None;
        }
        tokio::select! {
            () = self.context.shutdown.cancelled() => Some(Event::Shutdown),
            () = at(self.context.until) => Some(Event::Expired),
            () = self.context.standing.ends() => Some(Event::Rejudge),
            _ = self.open.changed() => Some(Event::Open),
        }
    }

    async fn event(&mut self) -> Result<Event<R>, Status> {
        if let Some(event) = self.gate().await {
            return Ok(event);
        }
        let silent_until = self.patience();
        // Nothing that is due can be sent while the stream catches up.
        let waits = self.catching_up.is_some();
        let connected = self.connected.as_ref().filter(|_| !waits);
        let deadline = connected.and_then(|connected| connected.stream.next_deadline());
        let snapshots = self.connected.as_mut().map(|connected| &mut connected.snapshots);
        let changed = async {
            // The sender cannot go while there is a receiver; if it did, there is nothing to come.
            let changed = match snapshots {
                Some(snapshots) => snapshots.changed().await.is_ok(),
                None => false,
            };
            if !changed {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = self.context.shutdown.cancelled() => Ok(Event::Shutdown),
            () = at(self.context.until) => Ok(Event::Expired),
            () = self.context.standing.ends() => Ok(Event::Rejudge),
            () = changed => Ok(Event::Snapshot),
            () = done(&mut self.catching_up) => Ok(Event::CaughtUp),
            request = self.requests.message(), if !waits => request.map(Event::Request),
            () = at(silent_until) => Ok(Event::Silence),
            () = at(deadline) => Ok(Event::Timer),
        }
    }

    /// Until when the client may say nothing; it begins when it is listened to.
    fn patience(&mut self) -> Option<Instant> {
        if self.connected.is_some() {
            return None;
        }
        let patience = self.context.first_request;
        Some(*self.silent_until.get_or_insert_with(|| Instant::now() + patience))
    }

    fn silent(&self) -> Status {
        let reason = format!("no request within {:?}", self.context.first_request);
        self.context.standing.note(Attempt::Silence, &reason);
        Status::deadline_exceeded(reason)
    }

    async fn rejudge(&mut self) -> Result<(), Status> {
        tokio::select! {
            () = self.context.shutdown.cancelled() => return Ok(()),
            judged = self.context.standing.judge_again() => judged?,
        }
        if let Some(connected) = &self.connected {
            let identity = self.context.standing.pass().into();
            connected.entry.update(|status| status.identity = identity);
        }
        Ok(())
    }

    fn take(&mut self, mut request: R) -> Result<(), Status> {
        let node = request.take_node();
        self.identify(node)?;
        let connected = self.connected.as_mut().expect("the client was identified");
        let Some(kind) = kind_of(request.type_url(), self.context.only)? else {
            debug!(node = connected.id, type_url = request.type_url(), "type not served");
            return Ok(());
        };
        if kind == ResourceType::Secret {
            connected.note_foreign(request.names(), &self.context);
        }
        if !self.caught_up && request.brings_unknown(kind, &connected.snapshots.borrow()) {
            self.caught_up = true;
            self.catching_up = self.context.fleets.freshen();
        }
        if self.catching_up.is_some() {
            self.parked = Some((kind, request));
        } else {
            self.apply(kind, request);
        }
        Ok(())
    }

    fn unpark(&mut self) {
        self.catching_up = None;
        self.advance();
        if let Some((kind, request)) = self.parked.take() {
            self.apply(kind, request);
        }
    }

    fn apply(&mut self, kind: ResourceType, request: R) {
        let Some(connected) = self.connected.as_mut() else { return };
        let reply = request.apply(&mut connected.stream, kind, Instant::now());
        self.context.metrics.replied(kind, &reply);
        connected.log(kind, &reply);
        connected.list();
    }

    /// The first request has to tell who asks; later ones may, but not somebody else.
    fn identify(&mut self, node: Option<Node>) -> Result<(), Status> {
        match (&self.connected, node) {
            (None, None) => Err(Status::invalid_argument("the first request of a stream must have a node")),
            (None, Some(node)) => self.connect(&node),
            (Some(connected), Some(node)) if !node.id.is_empty() && node.id != connected.id => {
                let reason = format!("it calls itself {:?} within a stream of {:?}", node.id, connected.id);
                Err(self.context.standing.refuse(Attempt::Node, &reason))
            }
            (Some(_), Some(node)) if !node.id.is_empty() => self.context.standing.fleet(&node).map(drop),
            _ => Ok(()),
        }
    }

    fn connect(&mut self, node: &Node) -> Result<(), Status> {
        if node.id.is_empty() {
            return Err(Status::invalid_argument("node.id is empty"));
        }
        let context = &self.context;
        let fleet = context.standing.fleet(node)?;
        let snapshots = context.fleets.watch(&fleet);
        let options = StreamOptions {
            protocol: R::PROTOCOL,
            aggregated: context.only.is_none(),
            response_bytes: context.response_bytes,
        };
        let snapshot = snapshots.borrow().clone();
        let clocks = (Instant::now(), SystemTime::now());
        let status = status(node, &fleet, &context.standing, R::PROTOCOL, clocks.1);
        let who = context.standing.who();
        info!(node = node.id, fleet, who, remote = %context.standing.remote(), protocol = ?R::PROTOCOL, "node connected");
        let connected = Connected {
            id: node.id.clone(),
            fleet,
            stream: Stream::new(options, snapshot, clocks.0),
            snapshots,
            entry: context.fleets.enter(status),
            foreign: BTreeSet::new(),
            refusals_listed: false,
            clocks,
            _counted: context.metrics.stream(R::PROTOCOL),
        };
        self.connected = Some(connected);
        self.open_gate();
        Ok(())
    }

    fn open_gate(&mut self) {
        let Some(connected) = &mut self.connected else { return };
        // A snapshot that was published before the gate opened is not to be missed.
        connected.advance();
        connected.stream.open();
        if !connected.snapshots.borrow().configured() {
            warn!(
                node = connected.id,
                fleet = connected.fleet,
                "nobody configured this fleet: the node gets nothing"
            );
        }
    }

    fn advance(&mut self) {
        if let Some(connected) = &mut self.connected {
            connected.advance();
        }
    }
}

impl Connected {
    fn advance(&mut self) {
        let snapshot = self.snapshots.borrow_and_update().clone();
        self.stream.advance(snapshot);
    }

    /// Says in the audit log that it asks for secrets of other fleets. It is told what it would be told of names that
    /// nobody has.
    fn note_foreign(&mut self, names: &[String], context: &Context) {
        for name in names {
            if self.foreign.len() >= MOST_FOREIGN || self.foreign.contains(name) {
                continue;
            }
            let own = self.snapshots.borrow().get(ResourceType::Secret, name).is_some();
            if !own && context.fleets.have(ResourceType::Secret, name) {
                self.foreign.insert(name.clone());
                let reason = format!("node {:?} of {:?} asks for {name:?}", self.id, self.fleet);
                context.standing.note(Attempt::Secret, &reason);
            }
        }
    }

    fn log(&self, kind: ResourceType, reply: &Reply) {
        if let Reply::Refused { error, resources, first } = reply {
            let first = first.as_ref().map(ToString::to_string);
            warn!(node = self.id, fleet = self.fleet, %kind, resources, first, error, "response refused");
        }
    }

    /// Writes the stream's progress where status pages find it.
    fn list(&mut self) {
        let refused = self.stream.refused();
        let changed = self.refusals_listed || !refused.is_empty();
        self.refusals_listed = !refused.is_empty();
        let clocks = self.clocks;
        self.entry.hold(self.stream.take_secret_news());
        let types: Vec<_> = self.stream.progress().collect();
        self.entry.update(|status| {
            status.types.clear();
            status.types.extend(types.into_iter().map(|progress| TypeStatus {
                kind: progress.kind,
                subscribed: progress.subscribed,
                sent: progress.sent,
                acked: progress.acked,
                pending: progress.pending,
                last_ack: progress.last_ack.map(|at| time_of_day(clocks, at)),
            }));
            if changed {
                status.rejected = refused.into_iter().map(|refused| rejection(clocks, refused)).collect();
            }
        });
    }
}

fn rejection(clocks: (Instant, SystemTime), refused: Refused) -> Rejection {
    let Refused { resource, version, error, origins, at } = refused;
    Rejection { resource, version, error, origins, at: time_of_day(clocks, at) }
}

fn time_of_day((instant, time): (Instant, SystemTime), at: Instant) -> SystemTime {
    time + at.saturating_duration_since(instant)
}

fn status(
    node: &Node,
    fleet: &str,
    standing: &Standing,
    protocol: Protocol,
    connected_since: SystemTime,
) -> NodeStatus {
    NodeStatus {
        id: node.id.clone(),
        fleet: fleet.to_owned(),
        remote: standing.remote().to_string(),
        identity: standing.pass().into(),
        build_version: node.build_version(),
        connected_since,
        protocol,
        types: Vec::new(),
        rejected: Vec::new(),
    }
}

/// The type that a request is for; nothing for one that is not served.
fn kind_of(type_url: &str, only: Option<ResourceType>) -> Result<Option<ResourceType>, Status> {
    match (type_url, only) {
        ("", Some(only)) => Ok(Some(only)),
        ("", None) => Err(Status::invalid_argument("an aggregated request must have a type_url")),
        (url, Some(only)) if url != only.type_url() => {
            Err(Status::invalid_argument(format!("this stream is for {} only", only.type_url())))
        }
        (url, _) => Ok(ResourceType::from_type_url(url)),
    }
}

async fn done(future: &mut Option<BoxFuture<'static, ()>>) {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

pub(crate) async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => pending().await,
    }
}
