//! One watched service, and when what is done about it.

use std::time::Duration;

use tokio::time::Instant;

use super::super::doubt::Reason;
use crate::pace::Backoff;
use crate::service::Service;

/// A service that somebody watches.
pub(super) struct Entry {
    pub(super) service: Service,
    /// It may have changed since it was read.
    is_dirty: bool,
    /// Before this it is not read.
    not_before: Instant,
    /// When it is read in any case.
    revisit: Option<Instant>,
    pub(super) reading: bool,
    pub(super) checking: bool,
    /// When checks are looked at, and whose.
    checks: Option<(Instant, Vec<String>)>,
    /// How many allocations have checks.
    pub(super) checked: usize,
    pub(super) backoff: Backoff,
    /// Whether it has been read.
    is_known: bool,
    /// It is read because time has passed, not because something was heard.
    pub(super) by_audit: bool,
    /// Whether it had an instance that could serve when it was last told.
    pub(super) serves: bool,
    /// Why it is not believed to have none.
    pub(super) held: Option<Reason>,
}

impl Entry {
    pub(super) fn new(now: Instant, backoff: Backoff) -> Self {
        Self {
            service: Service::default(),
            is_dirty: true,
            not_before: now,
            revisit: None,
            reading: false,
            checking: false,
            checks: None,
            checked: 0,
            backoff,
            is_known: false,
            by_audit: false,
            serves: false,
            held: None,
        }
    }

    /// Whether it is to be read now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.reading && self.read_due().is_some_and(|due| due <= now)
    }

    /// The allocations whose checks are to be looked at now. It counts as begun.
    pub(super) fn checks_due(&mut self, now: Instant) -> Option<Vec<String>> {
        if self.reading || self.checking || self.is_due(now) {
            return None;
        }
        let (_, allocations) = self.checks.take_if(|(due, _)| *due <= now)?;
        self.checking = true;
        Some(allocations)
    }

    /// When there is something to do next. `has_room`: whether it can be read.
    pub(super) fn next_due(&self, has_room: bool) -> Option<Instant> {
        if self.reading {
            return None;
        }
        let read = self.read_due().filter(|_| has_room);
        let is_waiting = !has_room && self.is_dirty;
        let checks = self.checks.as_ref().filter(|_| !self.checking && !is_waiting).map(|(due, _)| *due);
        read.into_iter().chain(checks).min()
    }

    fn read_due(&self) -> Option<Instant> {
        let changed = self.is_dirty.then_some(self.not_before);
        changed.into_iter().chain(self.revisit).min()
    }

    /// A reading begins.
    pub(super) fn begin(&mut self) {
        (self.reading, self.is_dirty, self.revisit) = (true, false, None);
    }

    /// Something was heard of it.
    pub(super) fn changed(&mut self, now: Instant) {
        (self.is_dirty, self.by_audit) = (true, false);
        // Nobody hurries what failed a moment ago.
        self.not_before = self.not_before.max(now);
    }

    /// It is read although nothing was heard of it.
    pub(super) fn audited(&mut self, now: Instant) {
        if !self.is_dirty && !self.reading {
            (self.is_dirty, self.by_audit) = (true, self.is_known);
            self.not_before = self.not_before.max(now);
        }
    }

    /// It was read.
    pub(super) fn read(&mut self, not_before: Instant) {
        self.backoff.reset();
        (self.is_known, self.not_before) = (true, not_before);
    }

    /// It could not be read, and is again then.
    pub(super) fn retry(&mut self, not_before: Instant) {
        (self.is_dirty, self.not_before) = (true, not_before);
    }

    /// What kept it from being read is over.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.backoff.reset();
        self.not_before = now;
    }

    /// There is nothing to read.
    pub(super) fn rest(&mut self) {
        (self.is_dirty, self.is_known) = (false, true);
    }

    /// Whether it was read when nothing had changed since.
    pub(super) fn is_as_of(&self, registrations: u64, allocations: u64) -> bool {
        let (read_registrations, read_allocations) = self.service.indices();
        let no_allocations = read_allocations == 0 && self.service.is_empty();
        self.is_known
            && read_registrations == registrations
            && (no_allocations || read_allocations == allocations)
    }

    /// Sees to the checks, and to those that leave.
    pub(super) fn plan(&mut self, interval: Duration, now: Instant) {
        let due = self.service.checks_due(interval, now);
        self.checked = due.as_ref().map_or(0, |(allocations, _)| allocations.len());
        self.checks = due.map(|(allocations, soon)| (now + soon, allocations));
        // What should have gone by then is looked at.
        self.revisit = self.service.next_departure().map(|departure| departure.min(now + interval));
    }
}
