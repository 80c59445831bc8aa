//! Writing objects: in one transaction where etcd takes it in one, else [in steps](steps).
//!
//! A batch begins only while no other one is open, which is what readers rely on: what a writer was told to
//! be written is in every later listing. So each transaction also compares the manifest with what was read before.

mod action;
mod steps;
mod undo;

use std::sync::Arc;
use std::time::Duration;

use biplane_store::manifest::Manifest;
use biplane_store::{Batch, Revision, StoreError};
use etcd_client::{Compare, CompareOp, GetOptions, Txn, TxnOp};
use tokio::time::{Instant, sleep};

use crate::list::{self, Marks, first, open_manifest};
use crate::members::Link;
use crate::place::Place;
use crate::raw::{Raw, signed, unsigned};
use crate::store::Core;
pub(crate) use action::{Action, Plan, pack};

/// How long a writer waits for those before it.
const QUEUE: Duration = Duration::from_secs(30);

/// How often it looks whether it is its turn.
const LOOK: Duration = Duration::from_millis(20);

/// What each transaction of a batch relies on beside the objects' own conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The revision of the store when the turn began.
    pub(crate) revision: u64,
    /// The revision at which the manifest last changed; 0: there is none.
    pub(crate) manifest: u64,
}

/// Why a transaction did not happen.
#[derive(Debug)]
pub(crate) enum Miss {
    /// Another batch has begun meanwhile.
    Turn,
    /// One of the conditions does not hold, or etcd says no.
    Error(StoreError),
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        Self::Error(error)
    }
}

/// Applies a batch and says at which revision it is visible.
pub(crate) async fn commit(core: &Arc<Core>, batch: Batch) -> Result<Revision, StoreError> {
    batch.check()?;
    action::check_sizes(&batch)?;
    if batch.operations.is_empty() {
        return list::head(core).await.map(Revision);
    }
    let plan = Plan::of(&batch, &core.place, &core.options);
    let deadline = Instant::now() + QUEUE;
    loop {
        let turn = wait_for_turn(core, deadline).await?;
        let result = match &plan.steps[..] {
            [only] => transact(core, turn, only, Vec::new()).await,
            _ => steps::run(core, turn, &batch, &plan).await,
        };
        match result {
            Ok(revision) => return Ok(Revision(revision)),
            Err(Miss::Error(error)) => return Err(error),
            Err(Miss::Turn) if Instant::now() >= deadline => return Err(crowded(None)),
            Err(Miss::Turn) => {}
        }
    }
}

/// Waits until no batch is being written, or the one that is has been waited for long enough.
async fn wait_for_turn(core: &Core, deadline: Instant) -> Result<Turn, StoreError> {
    loop {
        let marks = list::marks(core, None).await?.expect("the present is not compacted");
        core.place.identity(marks.sentinel.as_ref())?;
        let open = marks.manifest.as_ref().and_then(open_manifest);
        let left = open.as_ref().map_or(Duration::ZERO, |manifest| core.patience.left(manifest));
        if left.is_zero() {
            return Ok(Turn::of(&marks));
        }
        if Instant::now() >= deadline {
            return Err(crowded(open));
        }
        sleep(left.min(LOOK)).await;
    }
}

/// Others are always first.
fn crowded(open: Option<Manifest>) -> StoreError {
    let author = open.map_or_else(String::new, |manifest| format!(", the last one by {:?}", manifest.author));
    StoreError::unavailable(format!("other batches are being written for {QUEUE:?}{author}"))
        .with_hint("try again when they are done")
}

/// One transaction: the actions and `more`, if every condition holds.
pub(crate) async fn transact(
    core: &Core,
    turn: Turn,
    actions: &[Action],
    more: Vec<TxnOp>,
) -> Result<u64, Miss> {
    let conditions =
        turn.conditions(&core.place).into_iter().chain(actions.iter().filter_map(Action::condition));
    let writes = actions.iter().map(Action::operation).chain(more);
    let marks = [&core.place.sentinel, &core.place.manifest].map(String::as_str);
    let keys = marks.into_iter().chain(actions.iter().map(|action| action.key.as_str()));
    let gets = keys.map(|key| TxnOp::get(key, Some(GetOptions::new().with_keys_only())));
    let txn = Txn::new()
        .when(conditions.collect::<Vec<_>>())
        .and_then(writes.collect::<Vec<_>>())
        .or_else(gets.collect::<Vec<_>>());
    let answer = core.members.write("write to the store", |link: Link| link.txn(txn.clone())).await?;
    if answer.succeeded() {
        return Ok(answer.header().map_or(0, |header| unsigned(header.revision())));
    }
    let mut found = answer.op_responses().into_iter().map(first);
    let (sentinel, manifest) = (found.next().flatten(), found.next().flatten());
    if sentinel.is_none() {
        return Err(core.place.unmarked().into());
    }
    if manifest.as_ref().map_or(0, |raw| raw.revision) != turn.manifest {
        return Err(Miss::Turn);
    }
    Err(refused(actions, found).into())
}

/// Which condition did not hold, by what the transaction found.
pub(crate) fn refused(actions: &[Action], found: impl Iterator<Item = Option<Raw>>) -> StoreError {
    let revisions = found.map(|raw| raw.map(|raw| Revision(raw.revision)));
    let first = actions.iter().zip(revisions).find_map(|(action, found)| action.check(found).err());
    first.unwrap_or_else(|| StoreError::unavailable("etcd refused a write for a reason that does not show"))
}

impl Turn {
    fn of(marks: &Marks) -> Self {
        let manifest = marks.manifest.as_ref().map_or(0, |raw| raw.revision);
        Self { revision: marks.revision, manifest }
    }

    fn conditions(self, place: &Place) -> [Compare; 2] {
        [
            Compare::create_revision(place.sentinel.as_str(), CompareOp::Greater, 0),
            Compare::mod_revision(place.manifest.as_str(), CompareOp::Equal, signed(self.manifest)),
        ]
    }
}
