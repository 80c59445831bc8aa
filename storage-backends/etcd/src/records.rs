//! Biplane's own records in etcd, each write checked against the leader's seat where it has to be.

use std::sync::Arc;

use async_trait::async_trait;
use biplane_store::{Fence, Record, RecordWrite, Records, Revision, Seat, StoreError};
use etcd_client::{Compare, CompareOp, GetOptions, Txn, TxnOp};

use crate::commit::{Action, pack, refused};
use crate::list::{self, first};
use crate::members::Link;
use crate::pages::{Wanted, part};
use crate::raw::{Raw, signed, unsigned};
use crate::seat;
use crate::store::Core;

/// How often a folder is read anew because its revision was compacted meanwhile.
const ATTEMPTS: usize = 2;

/// The records of one store.
#[derive(Debug)]
pub(crate) struct EtcdRecords {
    core: Arc<Core>,
}

impl EtcdRecords {
    pub(crate) const fn of(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// What is wanted of a folder, at one revision.
    async fn below(&self, prefix: &str, wanted: Wanted<'_>) -> Result<Vec<Raw>, StoreError> {
        let below = self.core.place.record(prefix);
        for _ in 0..ATTEMPTS {
            let head = list::head(&self.core).await?;
            if let Some(keys) = part(&self.core, &below, wanted, head).await? {
                return Ok(keys);
            }
        }
        Err(StoreError::unavailable(format!(
            "cannot read {below}: etcd forgot each revision while it was read"
        )))
    }

    /// A record's path below the root.
    fn path(&self, raw: &Raw) -> String {
        let path = raw.key.strip_prefix(self.core.place.root.as_bytes()).unwrap_or(&raw.key);
        String::from_utf8_lossy(path).into_owned()
    }

    /// One transaction, under the fence.
    async fn step(&self, actions: &[Action], fence: Option<&Seated>) -> Result<u64, StoreError> {
        let core = &self.core;
        let leader = core.place.leader.as_str();
        let conditions = fence.iter().flat_map(|seated| seated.conditions(leader));
        let conditions = conditions.chain(actions.iter().filter_map(Action::condition));
        let keys = std::iter::once(leader).chain(actions.iter().map(|action| action.key.as_str()));
        let gets = keys.map(|key| TxnOp::get(key, Some(GetOptions::new().with_keys_only())));
        let txn = Txn::new()
            .when(conditions.collect::<Vec<_>>())
            .and_then(actions.iter().map(Action::operation).collect::<Vec<_>>())
            .or_else(gets.collect::<Vec<_>>());
        let answer = core.members.write("write a record", |link: Link| link.txn(txn.clone())).await?;
        if answer.succeeded() {
            return Ok(answer.header().map_or(0, |header| unsigned(header.revision())));
        }
        let mut found = answer.op_responses().into_iter().map(first);
        let seat = found.next().flatten();
        match fence {
            Some(seated) if !seated.holds(seat.as_ref()) => Err(seat::deposed("another one leads now")),
            _ => Err(refused(actions, found)),
        }
    }
}

#[async_trait]
impl Records for EtcdRecords {
    async fn read(&self, path: &str) -> Result<Option<Record>, StoreError> {
        let (found, _) = list::one(&self.core, "read a record", &self.core.place.record(path)).await?;
        Ok(found.map(record))
    }

    async fn read_below(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let found = self.below(prefix, Wanted::default()).await?;
        Ok(found.into_iter().map(|raw| (self.path(&raw), record(raw))).collect())
    }

    async fn read_below_after(&self, prefix: &str, after: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let after = self.core.place.record(after);
        let wanted = Wanted { after: Some(&after), ..Wanted::default() };
        let found = self.below(prefix, wanted).await?;
        Ok(found.into_iter().map(|raw| (self.path(&raw), record(raw))).collect())
    }

    async fn paths_below(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let found = self.below(prefix, Wanted { keys_only: true, ..Wanted::default() }).await?;
        Ok(found.iter().map(|raw| self.path(raw)).collect())
    }

    async fn write(&self, writes: Vec<RecordWrite>, fence: Option<&Fence>) -> Result<Revision, StoreError> {
        let seated = fence.map(Seated::of).transpose()?;
        let actions: Vec<_> =
            writes.into_iter().map(|write| Action::record(write, &self.core.place)).collect();
        if actions.is_empty() {
            return list::head(&self.core).await.map(Revision);
        }
        let mut revision = 0;
        for step in pack(actions, &self.core.options) {
            revision = self.step(&step, seated.as_ref()).await?;
        }
        Ok(Revision(revision))
    }

    async fn campaign(&self, owner: &str) -> Result<Box<dyn Seat>, StoreError> {
        seat::campaign(&self.core, owner).await
    }
}

/// A fence in etcd's terms.
#[derive(Clone, Copy, Debug)]
struct Seated {
    created: u64,
    lease: i64,
}

impl Seated {
    fn of(fence: &Fence) -> Result<Self, StoreError> {
        let lease = seat::lease_of(&fence.holder)
            .ok_or_else(|| StoreError::invalid(format!("{:?} is no lease of etcd", fence.holder)))?;
        Ok(Self { created: fence.term, lease })
    }

    fn conditions(self, leader: &str) -> [Compare; 2] {
        [
            Compare::create_revision(leader, CompareOp::Equal, signed(self.created)),
            Compare::lease(leader, CompareOp::Equal, self.lease),
        ]
    }

    /// A seat that was given up and taken again has another create revision, so that says it all.
    fn holds(self, seat: Option<&Raw>) -> bool {
        seat.is_some_and(|seat| seat.created == self.created)
    }
}

fn record(raw: Raw) -> Record {
    Record { value: raw.value, revision: Revision(raw.revision) }
}
