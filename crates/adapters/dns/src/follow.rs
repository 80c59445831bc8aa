//! One question, asked again whenever its records are old, for as long as somebody watches.

use std::sync::Arc;
use std::time::Duration;

use biplane_source::{Listing, SourceError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::counters::{Counters, count};
use crate::look::{Place, Question, look};
use crate::options::DnsOptions;
use crate::report::Report;
use crate::resolver::Resolver;
use biplane_source::pace::{self, Backoff};

/// What is known of a question; `None`: not asked yet.
pub(crate) type Told = Option<Listing<Arc<Vec<Place>>>>;

/// What all questions of a source share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: DnsOptions,
    pub(crate) resolver: Resolver,
    pub(crate) counters: Arc<Counters>,
    pub(crate) report: Report,
    /// Moves when everything is to be looked at again.
    pub(crate) pulse: watch::Sender<u64>,
}

/// A question that is asked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Follower {
    question: Question,
    shared: Arc<Shared>,
    told: watch::Receiver<Told>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Begins to ask. Needs a Tokio runtime.
    pub(crate) fn start(shared: Arc<Shared>, question: Question) -> Self {
        shared.report.begin(&question);
        let (sender, told) = watch::channel(None);
        let task = tokio::spawn(follow(Arc::clone(&shared), question.clone(), sender));
        Self { question, shared, told, task }
    }

    /// What is known, from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Told> {
        self.told.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.report.end(&self.question);
    }
}

async fn follow(shared: Arc<Shared>, question: Question, told: watch::Sender<Told>) {
    let mut pulse = shared.pulse.subscribe();
    let mut backoff = Backoff::new(shared.options.retry_max);
    loop {
        let outcome = look(&shared.resolver, &question).await;
        let (pause, outcome) = match outcome {
            Ok(mut found) => {
                count(&shared.counters.reads);
                backoff.reset();
                found.places.sort();
                (next(&shared.options, &question, found.ttl), Ok(found.places))
            }
            Err(error) => {
                count(&shared.counters.read_failures);
                (backoff.delay(), Err(error))
            }
        };
        shared.report.looked(&question, outcome.as_ref().map(drop).map_err(Clone::clone));
        tell(&told, outcome);
        tokio::select! {
            () = sleep(pause) => {}
            // The sender lives as long as what is shared.
            Ok(()) = pulse.changed() => {}
        }
    }
}

/// When to look again: when the records are old, within limits.
fn next(options: &DnsOptions, question: &Question, ttl: Option<Duration>) -> Duration {
    let most =
        question.refresh.unwrap_or(options.refresh_max).min(options.refresh_max).max(options.refresh_min);
    let time = ttl.unwrap_or(most).clamp(options.refresh_min, most);
    pace::almost(time).max(options.refresh_min)
}

/// What is no news wakes nobody.
fn tell(told: &watch::Sender<Told>, outcome: Result<Vec<Place>, SourceError>) {
    let listing = match outcome {
        Ok(places) => Listing::Complete(Arc::new(places)),
        Err(error) => Listing::Failed(error),
    };
    told.send_if_modified(|told| {
        let is_news = told.as_ref() != Some(&listing);
        *told = Some(listing);
        is_news
    });
}

#[cfg(test)]
mod tests {
    use biplane_core::resources::upstream::discovery::DnsRecord;

    use super::*;

    #[test]
    fn records_are_looked_at_again_when_they_are_old_within_limits() {
        let options = DnsOptions::default();
        let seconds = Duration::from_secs;
        let of = |refresh: Option<u64>, ttl: Option<u64>| {
            let question = Question { name: "a".into(), record: DnsRecord::A, refresh: refresh.map(seconds) };
            next(&options, &question, ttl.map(seconds))
        };
        assert_eq!(of(None, Some(0)), seconds(1), "not more often than once a second");
        for (refresh, ttl, expected) in [
            (None, Some(60), 60),
            (None, Some(86_400), 300),
            (None, None, 300),
            (Some(30), Some(60), 30),
            (Some(30), Some(5), 5),
            (Some(3600), Some(86_400), 300),
        ] {
            let (least, most) = (seconds(expected).mul_f64(0.9), seconds(expected));
            let told = of(refresh, ttl);
            assert!((least..=most).contains(&told), "{refresh:?} {ttl:?}: {told:?}");
        }
    }
}
