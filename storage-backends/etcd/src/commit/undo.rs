//! Taking back what the first steps of a batch have written: keys become what they were when the manifest was
//! opened, as etcd's history has it, where they still are what we made of them.

use biplane_store::{StoreError, Write};
use etcd_client::{Compare, CompareOp, GetOptions, Txn, TxnOp};

use super::action::cut;
use super::{Action, Miss, Turn, transact};
use crate::list::first;
use crate::members::Link;
use crate::raw::{Raw, signed};
use crate::store::Core;

/// One key's way back.
struct Restore {
    operation: TxnOp,
    bytes: usize,
}

/// Puts back what these actions have written, and then closes the manifest.
pub(super) async fn undo(core: &Core, turn: Turn, actions: &[&Action], close: TxnOp) -> Result<(), Miss> {
    // Each way back is a transaction in the transaction, and etcd counts both; each key is read twice.
    let (most, bytes) = (core.options.max_operations / 2, core.options.max_bytes);
    for actions in cut(actions.iter().copied(), most, bytes, |action| action.bytes()) {
        let restores = restores(core, turn, &actions).await?;
        for restores in cut(restores, most, bytes, |restore| restore.bytes) {
            let operations = restores.into_iter().map(|restore| restore.operation).collect();
            transact(core, turn, &[], operations).await?;
        }
    }
    transact(core, turn, &[], vec![close]).await.map(drop)
}

/// The ways back of those keys that are what we have written.
async fn restores(core: &Core, turn: Turn, actions: &[&Action]) -> Result<Vec<Restore>, StoreError> {
    let at_open = GetOptions::new().with_revision(signed(turn.revision));
    let keys = || actions.iter().map(|action| action.key.as_str());
    let before = keys().map(|key| TxnOp::get(key, Some(at_open.clone())));
    let now = keys().map(|key| TxnOp::get(key, None));
    let txn = Txn::new().and_then(before.chain(now).collect::<Vec<_>>());
    let answer = core.members.read("read what was written", |link: Link| link.txn(txn.clone())).await?;
    let mut before: Vec<_> = answer.op_responses().into_iter().map(first).collect();
    let now = before.split_off(actions.len().min(before.len()));
    let states = before.iter().zip(&now);
    let both = actions.iter().zip(states);
    Ok(both.filter_map(|(action, (before, now))| restore(action, before.as_ref(), now.as_ref())).collect())
}

/// What makes a key again what it was before us; nothing if it is not what we have written.
fn restore(action: &Action, before: Option<&Raw>, now: Option<&Raw>) -> Option<Restore> {
    let is_changed = before.map(|raw| raw.revision) != now.map(|raw| raw.revision);
    let is_ours = match (&action.write, now) {
        (Write::Put(value), Some(now)) => now.value == *value,
        (Write::Delete, now) => now.is_none(),
        (Write::Put(_), None) => false,
    };
    if !is_changed || !is_ours {
        return None;
    }
    let key = action.key.as_str();
    let unchanged = Compare::mod_revision(key, CompareOp::Equal, now.map_or(0, |raw| signed(raw.revision)));
    let back = match before {
        Some(raw) => TxnOp::put(key, raw.value.clone(), None),
        None => TxnOp::delete(key, None),
    };
    let bytes = key.len() * 2 + before.map_or(0, |raw| raw.value.len());
    Some(Restore { operation: TxnOp::txn(Txn::new().when([unchanged]).and_then([back])), bytes })
}
