//! One place from now on: read again after a while or a word, told when there is news.

use std::sync::Arc;
use std::time::Duration;

use biplane_source::{Listing, Secret, SecretOptions, Watch};
use futures::StreamExt as _;
use futures::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Place;
use super::read::{Mark, Reading, Stored, current, read};
use crate::client::{Failure, Kind};
use crate::news::News;
use crate::pace::{self, Backoff};
use crate::vault::Vault;

/// How often an absence has to be found where there were values before it is believed: another replica may be behind.
const ABSENCES: u32 = 2;

/// How soon an absence is looked at again.
const DOUBT: Duration = Duration::from_secs(1);

/// Watches a place. Nothing runs but what the stream's reader polls.
pub(crate) fn follow(vault: Arc<Vault>, place: Place, options: &SecretOptions) -> Watch<Option<Secret>> {
    let refresh = options.refresh.unwrap_or(vault.options.refresh);
    let follower = Follower {
        pulse: vault.pulse.subscribe(),
        backoff: pace::backoff(vault.options.tuning.retry_max),
        due: Instant::now(),
        refresh,
        served: None,
        absences: 0,
        may_read_metadata: true,
        news: News::default(),
        vault,
        place,
    };
    stream::unfold(follower, |mut follower| async {
        let listing = follower.next().await;
        Some((listing, follower))
    })
    .boxed()
}

struct Follower {
    vault: Arc<Vault>,
    place: Place,
    refresh: Duration,
    pulse: watch::Receiver<u64>,
    backoff: Backoff,
    due: Instant,
    /// The values that were told last, and stand.
    served: Option<Stored>,
    /// How often nothing was found in a row where these are.
    absences: u32,
    may_read_metadata: bool,
    news: News,
}

impl Follower {
    async fn next(&mut self) -> Listing<Option<Secret>> {
        loop {
            self.wait().await;
            let told = match self.look().await {
                Ok(found) => {
                    self.backoff.reset();
                    self.due =
                        Instant::now() + if self.absences > 0 { DOUBT } else { pace::around(self.refresh) };
                    found
                }
                Err(failure) => {
                    self.due = Instant::now() + self.delay(&failure);
                    Some(Listing::Failed(failure.error))
                }
            };
            if let Some(news) = told.and_then(|told| self.news.of(told)) {
                return news;
            }
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = sleep_until(self.due) => {}
            Ok(()) = self.pulse.changed() => {}
        }
    }

    /// What is there; `None`: what was there before stands, until it is looked at again.
    async fn look(&mut self) -> Result<Option<Listing<Option<Secret>>>, Failure> {
        if let Some(standing) = self.unchanged().await? {
            return Ok(Some(Listing::Complete(Some(standing))));
        }
        Ok(match read(&self.vault, &self.place).await? {
            Reading::Values(stored) if self.is_behind(stored.mark.as_ref()) => self.standing(),
            Reading::Gone(mark) if self.is_behind(Some(&mark)) => self.standing(),
            Reading::Values(stored) => {
                self.absences = 0;
                self.served = Some(stored);
                self.standing()
            }
            Reading::Gone(_) => Some(self.forget()),
            Reading::Absent => {
                self.absences += 1;
                let is_sure = self.served.is_none() || self.absences >= ABSENCES;
                is_sure.then(|| self.forget())
            }
        })
    }

    /// The values that stand, if the engine says without giving them that they are still current.
    async fn unchanged(&mut self) -> Result<Option<Secret>, Failure> {
        let Some(Stored { secret, mark: Some(mark) }) =
            self.served.as_ref().filter(|_| self.may_read_metadata)
        else {
            return Ok(None);
        };
        match current(&self.vault, &self.place).await {
            Ok(Some(current)) if current.version == mark.version && !current.is_gone => {
                Ok(Some(secret.clone()))
            }
            Ok(_) => Ok(None),
            Err(failure) if failure.kind == Kind::Forbidden => {
                self.may_read_metadata = false;
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    fn is_behind(&self, mark: Option<&Mark>) -> bool {
        let served = self.served.as_ref().and_then(|stored| stored.mark.as_ref());
        served.zip(mark).is_some_and(|(served, mark)| mark.is_behind(served))
    }

    fn standing(&self) -> Option<Listing<Option<Secret>>> {
        self.served.as_ref().map(|stored| Listing::Complete(Some(stored.secret.clone())))
    }

    fn forget(&mut self) -> Listing<Option<Secret>> {
        self.absences = 0;
        self.served = None;
        Listing::Complete(None)
    }

    fn delay(&mut self, failure: &Failure) -> Duration {
        let delay = self.backoff.delay();
        match failure.kind {
            // Everybody waits as long as the server says, and not all come back at once.
            Kind::RateLimited(pause) => pause + delay,
            Kind::Down | Kind::Forbidden | Kind::Invalid => delay,
        }
    }
}
