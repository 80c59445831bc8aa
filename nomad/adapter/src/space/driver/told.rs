//! What is told when a place cannot be read or is not believed.

use std::time::Duration;

use super::{Api, Driver, Failure, Instant, Kind, Reason, count, info, tell, warn};

impl Driver {
    /// Nothing of the place can be read: everybody is told, and one question is tried again.
    pub(super) fn place_failed(&mut self, failure: Failure) {
        let delay = self.place.backoff.delay();
        self.place.due = Instant::now() + pause(&failure) + delay;
        self.fail(failure);
    }

    /// Its servers have forgotten something, or are others.
    pub(super) fn doubted(&mut self, reason: Reason, again: Duration) {
        if !matches!(&self.place.outcome, Some(Err(failure)) if failure.kind == Kind::Suspect) {
            count(&self.api.client.tally().suspicions);
            warn!(place = %self.api.place, %reason, "Nomad is not believed yet, what was known stands");
        }
        self.place.due = Instant::now() + again;
        self.fail(suspect(&self.api, &self.options.name, reason));
    }

    /// They say the same as before, so they are believed. What they do not have any more may have been lost with it,
    /// so that is held until it comes back or somebody says that it was meant. Servers that are only back at an earlier state
    /// mean what they say; `are_known`: their keys tell that they are the same.
    pub(super) fn confirmed(&mut self, reason: Reason, are_known: bool) {
        info!(place = %self.api.place, %reason, "Nomad is believed again");
        if reason == Reason::Others || !are_known {
            let until = Instant::now() + self.options.tuning.hold;
            self.lost = Some((self.listed.clone(), until));
            let served = self.entries.values_mut().filter(|entry| entry.serves);
            served.for_each(|entry| entry.held = Some((reason, until)));
        }
    }

    fn fail(&mut self, failure: Failure) {
        let now = Instant::now();
        for (name, entry) in &mut self.entries {
            entry.changed(now);
            self.shared.tell(name, Err(failure.error.clone()));
        }
        tell(&self.shared.list, Err(failure.error.clone()));
        self.report.looked(&self.api.place, Err(failure.error.clone()));
        self.place.outcome = Some(Err(failure));
    }
}

/// How long whoever answered wants to be left alone.
pub(super) fn pause(failure: &Failure) -> Duration {
    match failure.kind {
        Kind::RateLimited(pause) => pause,
        _ => Duration::ZERO,
    }
}

fn suspect(api: &Api, source: &str, reason: Reason) -> Failure {
    let message = format!("suspect: {} at {} is not believed yet: {reason}", api.place, api.client.address());
    Failure::of(Kind::Suspect, message).hint(format!(
        "it is believed when it has said the same for a while; if it was meant: biplane source accept {source}"
    ))
}

pub(super) fn held(api: &Api, source: &str, service: &str, reason: Reason) -> Failure {
    let message = format!("suspect: service {service} of {} is gone since {reason}", api.place);
    Failure::of(Kind::Suspect, message)
        .hint(format!("run its job again; if it is meant to be gone: biplane source accept {source}"))
}
