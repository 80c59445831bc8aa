//! The rules of the leader's seat. A store without records has none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Harness;
use crate::error::StoreError;
use crate::records::{Fence, LEADER, RecordWrite, Records, Seat};

/// Longer than a lease or a session takes to run out.
const PATIENCE: Duration = Duration::from_mins(1);

/// Long enough for a seat to be given away by mistake.
const MOMENT: Duration = Duration::from_millis(300);

/// Two never lead together, and the seat goes on when its holder gives it up.
pub async fn one_leads_and_the_next_one_waits(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let first = campaign(&records, "first").await;
    let others = harness.replica().await.records().expect("every instance has them");
    let mut second = tokio::spawn(async move { campaign(&others, "second").await });
    assert!(timeout(MOMENT, &mut second).await.is_err(), "somebody leads already");
    assert_eq!(owner(&records).await, "first");
    let fence = first.fence();
    first.resign().await;
    let second = timeout(PATIENCE, second).await.expect("the seat is free").expect("no panic");
    assert!(second.fence().term > fence.term, "{:?} after {fence:?}", second.fence());
    assert_eq!(owner(&records).await, "second");
    second.resign().await;
}

/// The leader writes under its fence; a fence that names another term or holder is none.
pub async fn a_fence_lets_the_leader_write(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let seat = campaign(&records, "leader").await;
    let writes = (0..300).map(|n| RecordWrite::put(format!("status/n/{n}"), "1")).collect();
    records.write(writes, Some(&seat.fence())).await.expect("it leads");
    assert_eq!(records.read_below("status/n/").await.expect("a folder").len(), 300);
    seat.resign().await;
}

/// A leader that slept through its end is refused by the store itself, and learns of it.
pub async fn a_deposed_leader_writes_nothing(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let mut seat = campaign(&records, "old").await;
    let old = seat.fence();
    write(&records, "1", old.clone()).await.expect("it leads");
    harness.expire_seat(&old).await;
    let new = timeout(PATIENCE, campaign(&records, "new")).await.expect("the seat is free");
    let refused = write(&records, "2", old).await;
    assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
    for path in ["status/a", "status/b"] {
        let record = records.read(path).await.expect("records can be read").expect("it was written");
        assert_eq!(record.value, "1", "{path}");
    }
    write(&records, "3", new.fence()).await.expect("the new one leads");
    timeout(PATIENCE, seat.lost()).await.expect("a seat that is lost says so");
    drop(seat);
    write(&records, "4", new.fence()).await.expect("what the old one drops is not the new one's");
    new.resign().await;
}

/// A fence of a seat that nobody holds any more is as good as a foreign one.
pub async fn a_fence_ends_with_its_seat(harness: impl Harness) {
    let Some(records) = harness.store().records() else { return };
    let seat = campaign(&records, "leader").await;
    let fence = seat.fence();
    seat.resign().await;
    let refused = records.write(vec![RecordWrite::put("status/a", "1")], Some(&fence)).await;
    assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
    assert_eq!(records.read("status/a").await, Ok(None));
}

async fn campaign(records: &Arc<dyn Records>, owner: &str) -> Box<dyn Seat> {
    timeout(PATIENCE, records.campaign(owner)).await.expect("a seat in time").expect("a seat")
}

async fn write(records: &Arc<dyn Records>, value: &'static str, fence: Fence) -> Result<(), StoreError> {
    let writes = vec![RecordWrite::put("status/a", value), RecordWrite::put("status/b", value)];
    records.write(writes, Some(&fence)).await.map(|_| ())
}

/// Who leads, as people read it.
async fn owner(records: &Arc<dyn Records>) -> String {
    let record = records.read(LEADER).await.expect("records can be read").expect("somebody leads");
    String::from_utf8_lossy(&record.value).into_owned()
}
