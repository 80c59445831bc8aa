//! A watch: lines of JSON as they come, for as long as they come.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use futures::StreamExt as _;
use futures::future::{BoxFuture, Fuse};
use futures::stream;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use serde::Deserialize;
use tokio::time::timeout;

use super::exchange::{Call, Open, Reply};
use super::{Client, ClientError};
use crate::path;
use crate::resources::{Events, Problem, ProblemKind, ResourceEvent};
use crate::wire::{ALIVE_EVERY, WatchLine};

/// How long the server may take to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// How long it may be silent: it speaks three times as often.
const SILENCE: Duration = ALIVE_EVERY.saturating_mul(3);

/// The events that this version knows.
const KNOWN: [&str; 4] = ["put", "deleted", "listed", "alive"];

/// The longest line: one object and its document stay far below it.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// The most that is read of the body of an answer that is no watch.
const LARGEST_PROBLEM: usize = 16 * 1024 * 1024;

struct Reading {
    client: Client,
    body: Incoming,
    connection: Fuse<BoxFuture<'static, ()>>,
    buffer: BytesMut,
    /// How much of the buffer has no end of a line in it.
    searched: usize,
    ended: bool,
}

impl Client {
    /// The events that `call` is answered with.
    pub(super) async fn events(&self, call: Call) -> Result<Events, ClientError> {
        let path = call.path().to_owned();
        let late = |_| self.unreachable(format!("no answer within {} s", BEGIN.as_secs()));
        let Open { response, connection } = timeout(BEGIN, self.ask(call)).await.map_err(late)??;
        let (parts, body) = response.into_parts();
        let client = self.clone();
        let mut reading =
            Reading { client, body, connection, buffer: BytesMut::new(), searched: 0, ended: false };
        if parts.status.is_success() {
            return Ok(stream::unfold(reading, Reading::next).boxed());
        }
        let body = timeout(BEGIN, reading.rest()).await.map_err(late)?;
        Err(self.problem(&path, &Reply { status: parts.status, headers: parts.headers, body }))
    }
}

impl Reading {
    /// The next event, or the problem that is the last thing said.
    async fn next(mut self) -> Option<(Result<ResourceEvent, Problem>, Self)> {
        if self.ended {
            return None;
        }
        let item = self.event().await;
        self.ended = item.is_err();
        Some((item, self))
    }

    async fn event(&mut self) -> Result<ResourceEvent, Problem> {
        loop {
            let line = timeout(SILENCE, self.line())
                .await
                .unwrap_or_else(|_| Err(self.cut(&format!("it was silent for {} s", SILENCE.as_secs()))))?;
            match serde_json::from_slice::<WatchLine>(&line) {
                Ok(line) => return line.into(),
                Err(_) if is_news(&line) => {}
                Err(error) => return Err(self.client.unexpected(path::WATCH, &error).into()),
            }
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<BytesMut, Problem> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + at);
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(line);
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST_LINE {
                return Err(self.cut("a line is longer than any event"));
            }
            match self.frame().await {
                Some(Ok(data)) => self.buffer.extend_from_slice(&data),
                Some(Err(error)) => return Err(self.cut(&error.to_string())),
                None => return Err(self.cut("the server ended it")),
            }
        }
    }

    /// The next bytes of the body; of trailers, none.
    async fn frame(&mut self) -> Option<hyper::Result<Bytes>> {
        let frame = tokio::select! {
            biased;
            frame = self.body.frame() => frame,
            () = &mut self.connection => self.body.frame().await,
        };
        Some(frame?.map(|frame| frame.into_data().unwrap_or_default()))
    }

    /// What is left of a short body.
    async fn rest(&mut self) -> Bytes {
        while let Some(Ok(data)) = self.frame().await {
            self.buffer.extend_from_slice(&data);
            if self.buffer.len() > LARGEST_PROBLEM {
                break;
            }
        }
        self.buffer.split().freeze()
    }

    fn cut(&self, reason: &str) -> Problem {
        let message = format!("the watch of {} broke off: {reason}", self.client.address());
        Problem::new(ProblemKind::Unavailable, message).hint("list again and watch from there")
    }
}

/// Whether a line is an event that only a later version knows, which is read past.
fn is_news(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct News {
        event: String,
    }
    serde_json::from_slice::<News>(line).is_ok_and(|news| !KNOWN.contains(&news.event.as_str()))
}
