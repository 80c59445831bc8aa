//! The shadow: a second ingest and graph that follow the store, in which changes are tried before they are
//! written.
//!
//! A trial carries out the planned edits, collects the findings, and takes the edits back by their inverse, so
//! that judging a change costs what the change touches and not what the store holds. The shadow is built at
//! the first use, follows the store while it is used ([`follower`]), and is dropped some minutes after.
//!
//! Invariant: between two trials the shadow holds what the store holds, as far as its watch has told.

mod follower;
mod trial;

use std::sync::{Arc, Mutex, PoisonError};

use biplane_admin_api::resources::{Problem, ProblemKind, ValidationFinding};
use biplane_control_plane::graph::{Edit, Graph};
use biplane_control_plane::ingest::{Edits, Ingest};
use biplane_store::{Changes, Listing, Revision, Store};

use crate::off_the_runtime;
use crate::plan::Planned;
use follower::Follower;

/// The shadow of one store, if there is one at the moment.
pub(crate) struct Shadows {
    store: Arc<dyn Store>,
    slot: Mutex<Option<Arc<Follower>>>,
}

impl Shadows {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, slot: Mutex::new(None) }
    }

    /// What validation says about the configuration once `planned` is carried out on what the store held at
    /// `revision` or later. What is new by it comes first.
    pub(crate) async fn judge(
        &self,
        revision: Revision,
        planned: Vec<Planned>,
    ) -> Result<Vec<ValidationFinding>, Problem> {
        let follower = self.follower();
        // A driver that met a store it cannot read backs off; whoever comes next starts one that does not.
        follower.reach(revision).await.inspect_err(|_| self.forget())?;
        let state = follower.state();
        let judged = off_the_runtime(move || {
            // A shadow whose trial panicked may hold half of it: whoever comes next builds another.
            let mut held = state.lock().map_err(|_| ())?;
            held.as_mut().map(|shadow| shadow.judge(&planned)).ok_or(())
        })
        .await;
        match judged {
            Ok(Ok(findings)) => Ok(findings),
            Ok(Err(())) => {
                self.forget();
                Err(Problem::new(ProblemKind::Unavailable, "what validates changes has just gone")
                    .hint("try again"))
            }
            Err(problem) => {
                self.forget();
                Err(problem)
            }
        }
    }

    fn follower(&self) -> Arc<Follower> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(follower) = slot.as_ref().filter(|follower| follower.touch()) {
            return follower.clone();
        }
        let follower = Arc::new(Follower::start(self.store.clone()));
        *slot = Some(follower.clone());
        follower
    }

    fn forget(&self) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What the store holds, as the control plane sees it.
pub(crate) struct Shadow {
    ingest: Ingest,
    graph: Graph,
}

impl Default for Shadow {
    fn default() -> Self {
        Self { ingest: Ingest::default(), graph: Graph::assuming_secrets() }
    }
}

impl Shadow {
    fn listing(&mut self, listing: Listing) {
        let edits = self.ingest.listing(listing);
        self.apply(edits);
    }

    fn changes(&mut self, changes: Changes) {
        let edits = self.ingest.changes(changes);
        self.apply(edits);
    }

    fn apply(&mut self, edits: Edits) {
        let Edits { mut puts, deletions } = edits;
        for key in deletions {
            self.ingest.forget(&key);
            puts.push(Edit::Delete(key));
        }
        self.change(&puts);
    }

    /// Nobody is served by this graph: what changes for fleets and what is news go nowhere.
    fn change(&mut self, edits: &[Edit]) {
        drop(self.graph.apply(edits));
        drop(self.graph.take_news());
    }
}
