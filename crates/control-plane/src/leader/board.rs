//! What is known of the leadership, for status, metrics and the log.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use biplane_admin_api::status::{LeaderStatus, ObjectReport, Severity};
use biplane_core::key::ObjectKey;
use biplane_core::scalars::Timestamp;
use biplane_store::{Revision, StoreError};
use tracing::{info, warn};

/// How many objects are reported that cannot be kept: nobody reads more.
const MOST_UNKEPT: usize = 50;

/// A handle that the leader's tasks set and whoever reports reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    role: Role,
    leader: Option<(String, Timestamp)>,
    failures: BTreeMap<Duty, StoreError>,
    /// Versions that the store does not take.
    unkept: BTreeMap<ObjectKey, (Revision, StoreError)>,
    write_failures: u64,
}

/// What this replica is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// It does not want to lead, or the store has no room for records.
    #[default]
    None,
    /// It waits for the seat.
    Candidate,
    /// It leads.
    Leader,
}

/// What a leader does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Duty {
    /// Taking the seat.
    Campaign,
    /// Writing status.
    Status,
    /// Writing versions of objects.
    History,
    /// Removing what nobody needs any more.
    OldIntents,
    /// Removing versions of what was deleted long ago.
    OldHistory,
    /// Learning what was meant, which every replica does, whether or not it leads.
    Intents,
}

impl Duty {
    /// Whether only a leader does it.
    const fn is_leaders(self) -> bool {
        matches!(self, Self::Status | Self::History | Self::OldIntents | Self::OldHistory)
    }
}

impl Board {
    /// Wants to lead.
    pub(super) fn campaigns(&self) {
        self.lock().role = Role::Candidate;
    }

    /// Leads from now on.
    pub(super) fn leads(&self, name: &str, since: Timestamp) {
        let mut state = self.lock();
        state.role = Role::Leader;
        state.leader = Some((name.to_owned(), since));
        info!(name, "leading: this replica writes status and history");
    }

    /// Leads no longer.
    pub(super) fn steps_down(&self, why: &StoreError) {
        let mut state = self.lock();
        if state.role == Role::Leader {
            info!(%why, "no longer leading");
            state.role = Role::Candidate;
            state.leader = None;
            state.failures.retain(|duty, _| !duty.is_leaders());
            state.unkept.clear();
        }
    }

    /// Somebody else leads.
    pub(super) fn follows(&self, leader: Option<(String, Timestamp)>) {
        let mut state = self.lock();
        if state.role == Role::Candidate {
            state.leader = leader;
        }
    }

    /// A duty could not be done. Said once for each reason.
    pub(crate) fn failed(&self, duty: Duty, error: &StoreError) {
        let mut state = self.lock();
        state.write_failures += u64::from(duty.is_leaders());
        if state.failures.get(&duty) != Some(error) {
            warn!(%error, hint = error.hint(), "{duty}; serving does not depend on it");
            state.failures.insert(duty, error.clone());
        }
    }

    /// A duty was done.
    pub(crate) fn done(&self, duty: Duty) {
        if self.lock().failures.remove(&duty).is_some() {
            info!("no longer true: {duty}");
        }
    }

    /// The store does not take this version of an object into its history.
    pub(super) fn unkept(&self, key: &ObjectKey, revision: Revision, error: &StoreError) {
        warn!(%key, %revision, %error, "a version of an object cannot be kept in the history");
        let mut state = self.lock();
        if state.unkept.len() < MOST_UNKEPT || state.unkept.contains_key(key) {
            state.unkept.insert(key.clone(), (revision, error.clone()));
        }
    }

    /// The store has taken a version of an object.
    pub(super) fn kept(&self, key: &ObjectKey, revision: Revision) {
        let mut state = self.lock();
        if state.unkept.get(key).is_some_and(|(unkept, _)| *unkept < revision) {
            state.unkept.remove(key);
        }
    }

    /// Who leads, for status; `None`: nobody could.
    pub(crate) fn status(&self) -> Option<LeaderStatus> {
        let state = self.lock();
        if state.role == Role::None {
            return None;
        }
        let (name, since) =
            state.leader.clone().map_or((None, None), |(name, since)| (Some(name), Some(since)));
        let error = state.failures.get(&Duty::Campaign);
        Some(LeaderStatus {
            name,
            since,
            is_me: state.role == Role::Leader,
            last_error: error.map(ToString::to_string),
            hint: error.and_then(|error| error.hint()).map(str::to_owned),
        })
    }

    /// What could not be done; about objects only where it is one of them that the store does not take.
    pub(crate) fn reports(&self) -> Vec<ObjectReport> {
        let report = |(duty, error): (&Duty, &StoreError)| ObjectReport {
            severity: Severity::Warning,
            message: format!("{duty}: {error}"),
            hint: error.hint().map(str::to_owned),
            ..ObjectReport::default()
        };
        let state = self.lock();
        state.failures.iter().map(report).chain(state.unkept.iter().map(unkept_report)).collect()
    }

    /// What this replica is.
    pub(crate) fn role(&self) -> Role {
        self.lock().role
    }

    /// How often the store refused a write of ours.
    pub(crate) fn write_failures(&self) -> u64 {
        self.lock().write_failures
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unkept_report((key, (revision, error)): (&ObjectKey, &(Revision, StoreError))) -> ObjectReport {
    ObjectReport {
        object: Some(key.to_string()),
        severity: Severity::Warning,
        message: format!("its version at revision {revision} cannot be kept in the history: {error}"),
        hint: Some("it is in use all the same; keep a copy if you may want to come back to it".to_owned()),
        ..ObjectReport::default()
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Campaign => "this replica cannot become the leader",
            Self::Status => "status cannot be written into the store",
            Self::History => "versions of objects cannot be kept in the store",
            Self::OldHistory => "versions of what was deleted long ago cannot be removed from the store",
            Self::OldIntents => "old intents cannot be removed from the store",
            Self::Intents => {
                "intents cannot be read from the store, so that what is held waits for an operator"
            }
        })
    }
}
