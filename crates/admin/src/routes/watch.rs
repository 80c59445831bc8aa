//! Events of resources as they happen, one JSON document a line.
//!
//! The answer is the events themselves: nothing runs beside it and nothing is buffered but what the connection
//! holds. It ends with the server, with the client, after a problem, or when the client takes
//! nothing for a while (`link`).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use biplane_admin_api::resources::{Events, ResourceEvent};
use biplane_admin_api::wire::{ALIVE_EVERY, LINES, ListQuery, WatchLine};
use biplane_admin_api::{Problem, ProblemKind, path};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::ask::{Asked, filter};
use super::{Route, Shared};
use crate::access::Need;
use crate::failure::Failure;
use crate::link::{Link, Streaming};
use crate::openapi::{Operation, Tag, examples};

pub(super) fn routes() -> Vec<Route> {
    let watch = Operation::new(
        Tag::Resources,
        "watchResources",
        "The resources that match, then `listed`, then what becomes of them; one JSON document a line.",
    )
    .query::<ListQuery>()
    .lines::<WatchLine>(200, "Events, for as long as the connection lives.", &examples::watch_line());
    vec![Route::get(path::WATCH, Need::Read, watch, get(self::watch))]
}

/// A watch that is under way.
struct Watch {
    events: Events,
    shutdown: CancellationToken,
    ended: bool,
    /// Held for as long as the watch lives.
    _seat: OwnedSemaphorePermit,
    _streaming: Streaming,
}

async fn watch(
    State(shared): State<Arc<Shared>>,
    Extension(link): Extension<Arc<Link>>,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Failure> {
    let filter = filter(query)?;
    let seat = shared.watches.clone().try_acquire_owned().map_err(|_| full())?;
    let events = shared.source.resources().watch(&filter).await?;
    let shutdown = shared.shutdown.clone();
    let watch = Watch { events, shutdown, ended: false, _seat: seat, _streaming: link.begin_stream() };
    Ok(([(header::CONTENT_TYPE, LINES)], Body::from_stream(lines(watch))).into_response())
}

fn full() -> Problem {
    let problem = Problem::new(ProblemKind::Unavailable, "as many watches as are allowed are under way");
    problem.hint("end one, or ask another replica")
}

fn lines(watch: Watch) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok(line), watch))
    })
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let shutdown = self.shutdown.clone();
        let event = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            event = timeout(ALIVE_EVERY, self.events.next()) => event.unwrap_or(Some(Ok(ResourceEvent::Alive))),
        };
        let event = event?;
        self.ended = event.is_err();
        let mut line = serde_json::to_vec(&WatchLine::from(event)).expect("plain data");
        line.push(b'\n');
        Some(line.into())
    }
}
