//! Taking turns: a batch that needs the manifest begins when no other one is open, or the open one is so old that
//! its writer is gone.

use biplane_consul_client::TxnOp;
use biplane_store::StoreError;
use biplane_store::manifest::Manifest;

use crate::list::closed;
use crate::shared::{Shared, value};

/// Waits for the turn and says at which index the manifest is then; zero: there is none.
pub(crate) async fn wait(shared: &Shared) -> Result<u64, StoreError> {
    loop {
        let Some(entry) = shared.get(&shared.place.manifest()).await? else { return Ok(0) };
        let manifest = Manifest::decode(&value(&entry)?).filter(|manifest| manifest.open);
        let left = manifest.map(|manifest| shared.patience.left(&manifest)).unwrap_or_default();
        if left.is_zero() {
            return Ok(entry.modify_index);
        }
        closed(shared, entry.modify_index, left).await?;
    }
}

/// That nobody has had the manifest since it was seen at this index.
pub(crate) fn check(shared: &Shared, turn: u64) -> TxnOp {
    let key = shared.place.manifest();
    if turn == 0 { TxnOp::CheckAbsent(key) } else { TxnOp::CheckIndex(key, turn) }
}
