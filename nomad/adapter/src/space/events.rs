//! The stream of events of a place, opened again whenever it ends. It only says what to look at.
//!
//! Nomad keeps about a hundred events. A listener that comes back too late is sent what there is from then on, and is not
//! told that something is missing. So every opening counts as a gap, after which everything is looked at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::time::{Instant, sleep};

use crate::api::{Api, Event, Events};
use crate::client::{Failure, Lines};
use crate::counters::count;
use crate::options::Tuning;
use biplane_source::pace::Backoff;

/// How long a stream must have been open for its end to be no failure.
const STEADY: Duration = Duration::from_secs(10);

/// What is heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// From now on changes are told. What was before has to be looked at.
    Opened,
    /// Something has changed.
    Changed(Changes),
    /// Nothing is told until it is opened again.
    Closed(Failure),
}

/// What to look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Services whose registrations have changed.
    pub(crate) services: BTreeSet<String>,
    /// Jobs whose allocations have changed.
    pub(crate) jobs: BTreeSet<String>,
    /// Jobs that are gone, so that their versions count from zero again.
    pub(crate) ended: BTreeSet<String>,
}

struct Listener {
    api: Api,
    tuning: Tuning,
    /// What is known already.
    index: Arc<AtomicU64>,
    backoff: Backoff,
    lines: Option<(Lines, Instant)>,
    /// How long to wait before it is opened.
    pause: Duration,
}

/// Listens from now on, for as long as the stream is polled. `index` is where to begin after an end.
pub(crate) fn listen(api: Api, tuning: Tuning, index: Arc<AtomicU64>) -> BoxStream<'static, Heard> {
    let backoff = Backoff::new(tuning.retry_max);
    let listener = Listener { api, tuning, index, backoff, lines: None, pause: Duration::ZERO };
    stream::unfold(listener, |mut listener| async {
        let heard = listener.next().await;
        Some((heard, listener))
    })
    .boxed()
}

impl Listener {
    async fn next(&mut self) -> Heard {
        let Some((lines, opened)) = &mut self.lines else { return self.open().await };
        let (silence, opened) = (self.tuning.silence, *opened);
        loop {
            let events = match lines.next(silence).await {
                Ok(line) => serde_json::from_slice::<Events>(&line).map_err(|_| lines.malformed()),
                Err(failure) => Err(failure),
            };
            match events {
                Ok(events) if events.events.is_empty() => {}
                Ok(events) => return self.changed(&events),
                Err(failure) => return self.close(failure, opened),
            }
        }
    }

    async fn open(&mut self) -> Heard {
        sleep(self.pause).await;
        match self.begin().await {
            Ok(lines) => {
                count(&self.api.client.tally().streams);
                self.lines = Some((lines, Instant::now()));
                Heard::Opened
            }
            Err(failure) => {
                self.pause = self.backoff.delay();
                Heard::Closed(failure)
            }
        }
    }

    /// Nomad says something as soon as it listens for us; before that nothing is promised.
    async fn begin(&self) -> Result<Lines, Failure> {
        let mut lines = self.api.events(self.index.load(Ordering::Relaxed)).await?;
        let first = lines.next(self.tuning.silence).await?;
        // Whatever it says: everything is looked at now.
        match serde_json::from_slice::<Events>(&first) {
            Ok(_) => Ok(lines),
            Err(_) => Err(lines.malformed()),
        }
    }

    fn changed(&self, events: &Events) -> Heard {
        self.index.fetch_max(events.index, Ordering::Relaxed);
        let counted = u64::try_from(events.events.len()).unwrap_or(u64::MAX);
        self.api.client.tally().events.fetch_add(counted, Ordering::Relaxed);
        Heard::Changed(Changes::of(&events.events))
    }

    fn close(&mut self, failure: Failure, opened: Instant) -> Heard {
        count(&self.api.client.tally().gaps);
        self.lines = None;
        if opened.elapsed() >= STEADY {
            self.backoff.reset();
        }
        self.pause = self.backoff.delay();
        Heard::Closed(failure)
    }
}

impl Changes {
    fn of(events: &[Event]) -> Self {
        let mut changes = Self::default();
        for event in events {
            let key = |at: usize| event.filter_keys.get(at).cloned();
            match event.topic.as_str() {
                "Service" => changes.services.extend(key(1)),
                "Allocation" | "Deployment" => changes.jobs.extend(key(0)),
                "Job" if event.kind.ends_with("Deregistered") => changes.ended.extend([event.key.clone()]),
                _ => {}
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(topic: &str, kind: &str, key: &str, filter_keys: &[&str]) -> Event {
        let filter_keys = filter_keys.iter().map(|key| (*key).to_owned()).collect();
        Event { topic: topic.into(), kind: kind.into(), key: key.into(), filter_keys }
    }

    #[test]
    fn events_name_the_service_or_the_job_that_has_changed() {
        let changes = Changes::of(&[
            event("Service", "ServiceRegistration", "id", &["job", "web"]),
            event("Allocation", "AllocationUpdated", "a1", &["job", "d1"]),
            event("Deployment", "DeploymentPromotion", "d1", &["other"]),
            event("Job", "JobRegistered", "new", &[]),
            event("Job", "JobDeregistered", "old", &[]),
            event("Node", "NodeDrain", "n", &[]),
        ]);
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected =
            Changes { services: set(&["web"]), jobs: set(&["job", "other"]), ended: set(&["old"]) };
        assert_eq!(changes, expected);
    }
}
