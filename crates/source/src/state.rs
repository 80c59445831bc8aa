//! What readiness and status see of a source, whatever it reads.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::SourceError;
use tokio::time::Instant;

/// One source's state. Whoever reads the source keeps it up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// The source's name.
    pub name: String,
    /// Whether nothing may be served before this source has been read or restored.
    pub required: bool,
    /// Where it stands.
    pub phase: Phase,
    /// When it came to stand there.
    pub since: Instant,
    /// When it was last known to be complete, by itself.
    pub complete_at: Option<Instant>,
    /// Whether what it stands for is known, from itself or from disk.
    pub known: bool,
    /// The last thing that went wrong, kept after it was put right.
    pub last_error: Option<SourceError>,
    /// Facts for people, by name: how it is logged in, until when. Nothing secret.
    pub details: BTreeMap<String, String>,
}

/// Where a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not answered yet.
    Waiting,
    /// Its last good state was taken from disk; it has not answered itself yet.
    Restored,
    /// What is known of it is all there is.
    Complete,
    /// It cannot be read; what is known of it is old.
    Failed,
}

impl SourceState {
    /// A source that has not answered yet.
    pub fn waiting(name: impl Into<String>, required: bool, now: Instant) -> Self {
        let name = name.into();
        Self {
            name,
            required,
            phase: Phase::Waiting,
            since: now,
            complete_at: None,
            known: false,
            last_error: None,
            details: BTreeMap::new(),
        }
    }

    /// Its last good state was read from disk.
    pub fn restored(&mut self, now: Instant) {
        self.known = true;
        self.enter(Phase::Restored, now);
    }

    /// It was read.
    pub fn complete(&mut self, now: Instant) {
        self.known = true;
        self.complete_at = Some(now);
        self.enter(Phase::Complete, now);
    }

    /// It could not be read.
    pub fn failed(&mut self, error: SourceError, now: Instant) {
        self.last_error = Some(error);
        self.enter(Phase::Failed, now);
    }

    /// Whether serving may begin as far as this source is concerned.
    pub const fn is_ready(&self) -> bool {
        self.known || !self.required
    }

    /// How old what is known of it may be; `None` if it has never answered itself.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let fresh = self.phase == Phase::Complete;
        self.complete_at.map(|at| if fresh { Duration::ZERO } else { now.saturating_duration_since(at) })
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        if self.phase != phase {
            self.since = now;
        }
        // While complete, age counts from the moment of leaving.
        if self.phase == Phase::Complete && phase != Phase::Complete {
            self.complete_at = Some(now);
        }
        self.phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_source_is_ready_once_known_and_stays_so_through_failures() {
        let now = Instant::now();
        let mut state = SourceState::waiting("file:///etc/biplane", true, now);
        state.failed(SourceError::new("no such directory"), now);
        assert!(!state.is_ready());
        state.restored(now);
        assert!(state.is_ready());
        state.failed(SourceError::new("no such directory"), now);
        assert!(state.is_ready());
        assert_eq!(state.phase, Phase::Failed);
    }

    #[test]
    fn age_counts_from_the_moment_that_a_source_stopped_being_complete() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut state = SourceState::waiting("s", true, start);
        assert_eq!(state.age(at(5)), None);
        state.complete(at(10));
        assert_eq!(state.age(at(100)), Some(Duration::ZERO));
        state.failed(SourceError::new("gone"), at(100));
        assert_eq!(state.age(at(107)), Some(Duration::from_secs(7)));
    }
}
