//! One watched service, and when what is done about it.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::super::doubt::Reason;
use crate::service::{CheckPace, Service};
use biplane_source::pace::Backoff;

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
    /// The allocations whose checks are being looked at.
    pub(super) checking: BTreeSet<String>,
    /// When checks are looked at next.
    check_at: Option<Instant>,
    /// How many allocations have checks that pass, and others.
    pub(super) checked: (usize, usize),
    pub(super) backoff: Backoff,
    /// Whether it has been read.
    is_known: bool,
    /// It is read because time has passed, not because something was heard.
    pub(super) by_audit: bool,
    /// Whether it had an instance that could serve when it was last told.
    pub(super) serves: bool,
    /// Why it is not believed to have none, and until when.
    pub(super) held: Option<(Reason, Instant)>,
}

impl Entry {
    pub(super) fn new(now: Instant, backoff: Backoff) -> Self {
        Self {
            service: Service::default(),
            is_dirty: true,
            not_before: now,
            revisit: None,
            reading: false,
            checking: BTreeSet::new(),
            check_at: None,
            checked: (0, 0),
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

    /// The allocations whose checks are to be looked at now. They count as begun.
    pub(super) fn begin_checks(&mut self, pace: CheckPace, now: Instant) -> Vec<String> {
        if self.reading || self.check_at.is_none_or(|due| due > now) {
            return Vec::new();
        }
        let due = self.service.due_checks(pace, &self.checking, now);
        self.checking.extend(due.iter().cloned());
        self.check_at = self.service.next_check(pace, &self.checking, now);
        due
    }

    /// When there is something to do next. `has_room`: whether it can be read.
    pub(super) fn next_due(&self, has_room: bool) -> Option<Instant> {
        if self.reading {
            return None;
        }
        let read = self.read_due().filter(|_| has_room);
        read.into_iter().chain(self.check_at).min()
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
    pub(super) fn plan(&mut self, pace: CheckPace, now: Instant) {
        self.checked = self.service.count_checked();
        self.check_at = self.service.next_check(pace, &self.checking, now);
        // What should have gone by then is looked at.
        let departure = self.service.next_departure().map(|departure| departure.min(now + pace.passing));
        let release = self.held.map(|(_, until)| until);
        self.revisit = departure.into_iter().chain(release).min();
    }
}
