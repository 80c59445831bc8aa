//! Watches of sources, by what they are about: begun, ended, and heard in batches, so that many answers that come at
//! once are one transaction.

use std::collections::HashMap;
use std::hash::Hash;

use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::oneshot;

/// Answers of one batch: beyond that the loop that takes them gets its turn.
const BATCH: usize = 1024;

/// What is watched, and how to end it.
pub(crate) struct Watches<K, T> {
    streams: SelectAll<BoxStream<'static, T>>,
    /// A watch ends when its sender goes.
    ends: HashMap<K, oneshot::Sender<()>>,
}

impl<K, T> Default for Watches<K, T> {
    fn default() -> Self {
        Self { streams: SelectAll::new(), ends: HashMap::new() }
    }
}

impl<K: Eq + Hash, T: Send + 'static> Watches<K, T> {
    /// Whether nothing is watched.
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Begins a watch; one of the same key ends.
    pub(crate) fn begin(&mut self, key: K, answers: BoxStream<'static, T>) {
        let (end, ended) = oneshot::channel::<()>();
        self.streams.push(answers.take_until(ended.map(drop)).boxed());
        self.ends.insert(key, end);
    }

    /// Ends a watch.
    pub(crate) fn end(&mut self, key: &K) {
        self.ends.remove(key);
    }

    /// What is told next, and what else can be told at once; `None`: no watch is left that could tell.
    pub(crate) async fn next(&mut self) -> Option<Vec<T>> {
        let mut batch = vec![self.streams.next().await?];
        while batch.len() < BATCH {
            match self.streams.next().now_or_never() {
                Some(Some(next)) => batch.push(next),
                _ => break,
            }
        }
        Some(batch)
    }
}
