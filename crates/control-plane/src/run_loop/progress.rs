//! What others wait for.

use biplane_store::Revision;
use tokio::sync::watch;

use crate::discovery::WantedEndpoints;
use crate::secrets::WantedSecrets;
use crate::shared::SharedEngine;

/// Told after each transaction.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The number of the last change of what the snapshot on disk keeps.
    pub(crate) editions: watch::Sender<u64>,
    /// The revision of the store that is published, for nodes that come from elsewhere.
    pub(crate) revisions: watch::Sender<Revision>,
    /// The secrets that are to be asked for.
    pub(crate) wanted: watch::Sender<WantedSecrets>,
    /// The endpoints that are to be looked up.
    pub(crate) endpoints: watch::Sender<WantedEndpoints>,
    /// For those who look at everything again.
    pub(crate) activity: watch::Sender<Activity>,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Transactions.
    pub(crate) transactions: u64,
    /// Full readings of the store among them.
    pub(crate) readings: u64,
    /// Objects that the guard keeps from being removed or taken back now.
    pub(crate) held: usize,
}

impl Progress {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        Self {
            editions: watch::Sender::new(0),
            revisions: watch::Sender::new(Revision::default()),
            wanted: watch::Sender::default(),
            endpoints: watch::Sender::default(),
            activity: watch::Sender::default(),
        }
    }

    pub(super) fn tell(&self, engine: &SharedEngine) {
        let (edition, revision, readings, held, wanted, endpoints) = {
            let engine = engine.lock();
            let (readings, held) = (engine.store().readings, engine.guard().held().len());
            let (wanted, endpoints) =
                (engine.secrets().wanted().clone(), engine.discovery().wanted().clone());
            (engine.edition(), engine.revision(), readings, held, wanted, endpoints)
        };
        self.wanted.send_if_modified(|last| {
            let same = last.ptr_eq(&wanted);
            *last = wanted;
            !same
        });
        self.endpoints.send_if_modified(|last| {
            let same = last.ptr_eq(&endpoints);
            *last = endpoints;
            !same
        });
        self.editions.send_if_modified(|last| std::mem::replace(last, edition) != edition);
        self.revisions.send_if_modified(|last| std::mem::replace(last, revision) != revision);
        self.activity.send_modify(|activity| {
            *activity = Activity { transactions: activity.transactions + 1, readings, held };
        });
    }
}
