//! Biplane's own records, below the root and beside `config/`.

use async_trait::async_trait;
use biplane_consul_client::{Query, TxnOp, TxnOutcome};
use biplane_store::records::LEADER;
use biplane_store::{Fence, Precondition, Record, RecordWrite, Records, Revision, Seat, StoreError, Write};

use crate::commit::{BYTES, OPERATIONS, owner, written_at};
use crate::failure::whole_below;
use crate::seat;
use crate::shared::{Handle, value};

/// The records of one store.
#[derive(Clone, Debug)]
pub(crate) struct ConsulRecords {
    shared: Handle,
}

impl ConsulRecords {
    pub(crate) const fn of(shared: Handle) -> Self {
        Self { shared }
    }

    /// One transaction; with a fence only while its holder leads.
    async fn step(&self, writes: &[&RecordWrite], fence: Option<&Fence>) -> Result<Revision, StoreError> {
        let shared = &self.shared;
        let leader = shared.place.record(LEADER);
        let fenced = fence.map(|fence| TxnOp::CheckSession(leader, fence.holder.clone()));
        let front = usize::from(fenced.is_some());
        let spans: Vec<_> = writes.iter().map(|write| self.ops(write)).collect();
        let ops: Vec<_> = fenced.into_iter().chain(spans.iter().flatten().cloned()).collect();
        match shared.txn(&ops).await? {
            TxnOutcome::Applied(results) => Ok(written_at(&ops, &results).unwrap_or_default()),
            TxnOutcome::RolledBack(errors) => {
                let at = errors.iter().map(|error| error.op_index).min().unwrap_or_default();
                if at < front {
                    return Err(seat::deposed());
                }
                match owner(spans.iter().map(Vec::len), at - front) {
                    Some(guilty) => Err(self.conflict(&writes[guilty].path).await),
                    None => Err(StoreError::unavailable("Consul names an operation that it was not given")),
                }
            }
        }
    }

    fn ops(&self, RecordWrite { path, write, precondition }: &RecordWrite) -> Vec<TxnOp> {
        let key = self.shared.place.record(path);
        match (write, precondition) {
            (Write::Put(value), Precondition::Any) => vec![TxnOp::Set(key, value.clone())],
            (Write::Put(value), Precondition::Absent) => vec![TxnOp::Cas(key, value.clone(), 0)],
            (Write::Put(value), Precondition::At(at)) => vec![TxnOp::Cas(key, value.clone(), at.0)],
            (Write::Delete, Precondition::Any) => vec![TxnOp::Delete(key)],
            (Write::Delete, Precondition::Absent) => vec![TxnOp::CheckAbsent(key)],
            (Write::Delete, Precondition::At(at)) => {
                vec![TxnOp::CheckIndex(key.clone(), at.0), TxnOp::Delete(key)]
            }
        }
    }

    async fn conflict(&self, path: &str) -> StoreError {
        match self.read(path).await {
            Ok(record) => StoreError::RecordConflict {
                path: path.to_owned(),
                found: record.map(|record| record.revision),
            },
            Err(error) => error,
        }
    }

    /// These records, as far as they are still there.
    async fn read_few(&self, paths: Vec<String>) -> Result<Vec<(String, Record)>, StoreError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let gets: Vec<_> =
            paths.iter().map(|path| TxnOp::GetOrEmpty(self.shared.place.record(path))).collect();
        let entries = match self.shared.txn(&gets).await? {
            TxnOutcome::Applied(entries) if entries.len() == gets.len() => entries,
            _ => return Err(StoreError::unavailable("Consul has not told all that it was asked for")),
        };
        let present = paths.into_iter().zip(&entries).filter(|(_, entry)| entry.modify_index > 0);
        let record = |(path, entry): (String, &biplane_consul_client::KvEntry<'_>)| {
            Ok((path, Record { value: value(entry)?, revision: Revision(entry.modify_index) }))
        };
        present.map(record).collect()
    }

    /// As many writes together as a transaction takes, with room for the fence.
    fn chunks<'a>(&self, writes: &'a [RecordWrite]) -> Result<Vec<Vec<&'a RecordWrite>>, StoreError> {
        let mut chunks: Vec<Vec<&RecordWrite>> = Vec::new();
        let (mut count, mut bytes) = (usize::MAX, usize::MAX);
        for write in writes {
            let ops = self.ops(write);
            let weight: usize = ops.iter().map(TxnOp::weight).sum();
            if weight > BYTES {
                let path = &write.path;
                return Err(StoreError::invalid(format!("the record {path} is too large for a transaction")));
            }
            let fits = count.saturating_add(ops.len()) < OPERATIONS && bytes.saturating_add(weight) <= BYTES;
            match chunks.last_mut() {
                Some(chunk) if fits => {
                    (count, bytes) = (count + ops.len(), bytes + weight);
                    chunk.push(write);
                }
                _ => {
                    (count, bytes) = (ops.len(), weight);
                    chunks.push(vec![write]);
                }
            }
        }
        Ok(chunks)
    }
}

#[async_trait]
impl Records for ConsulRecords {
    async fn read(&self, path: &str) -> Result<Option<Record>, StoreError> {
        let entry = self.shared.get(&self.shared.place.record(path)).await?;
        entry
            .map(|entry| Ok(Record { value: value(&entry)?, revision: Revision(entry.modify_index) }))
            .transpose()
    }

    async fn read_below(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let shared = &self.shared;
        let prefix = shared.place.record(prefix);
        let answer = shared.client.kv_recurse(&prefix, &Query::consistent()).await;
        let answer = answer.map_err(|error| shared.failure(error))?;
        whole_below(&shared.place, &shared.place.folder(&prefix), &answer.meta)?;
        let Some(list) = answer.value else { return Ok(Vec::new()) };
        let entries = list.parse().map_err(|error| shared.failure(error))?;
        let record = |entry: &biplane_consul_client::KvEntry<'_>| {
            let path = shared.place.path(&entry.key).unwrap_or(&entry.key).to_owned();
            Ok((path, Record { value: value(entry)?, revision: Revision(entry.modify_index) }))
        };
        entries.iter().map(record).collect()
    }

    /// Consul has no way to begin in the middle of a folder. Names are cheap, and few are new.
    async fn read_below_after(&self, prefix: &str, after: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let mut paths = self.paths_below(prefix).await?;
        paths.retain(|path| path.as_str() > after);
        if paths.len() <= OPERATIONS {
            return self.read_few(paths).await;
        }
        let mut found = self.read_below(prefix).await?;
        found.retain(|(path, _)| path.as_str() > after);
        Ok(found)
    }

    async fn paths_below(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let shared = &self.shared;
        let prefix = shared.place.record(prefix);
        let answer = shared.client.kv_keys(&prefix, None, &Query::consistent()).await;
        let answer = answer.map_err(|error| shared.failure(error))?;
        whole_below(&shared.place, &shared.place.folder(&prefix), &answer.meta)?;
        let keys = answer.value.unwrap_or_default();
        Ok(keys.iter().map(|key| shared.place.path(key).unwrap_or(key).to_owned()).collect())
    }

    async fn write(&self, writes: Vec<RecordWrite>, fence: Option<&Fence>) -> Result<Revision, StoreError> {
        let mut revision = Revision::default();
        for chunk in self.chunks(&writes)? {
            revision = revision.max(self.step(&chunk, fence).await?);
        }
        if revision == Revision::default() {
            // Removals tell no index.
            revision = Revision(self.shared.global_index().await?);
        }
        Ok(revision)
    }

    async fn campaign(&self, owner: &str) -> Result<Box<dyn Seat>, StoreError> {
        seat::campaign(self.shared.clone(), owner).await
    }
}
