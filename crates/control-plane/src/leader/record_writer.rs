//! Writes of records under the leader's fence, in portions that every store takes.

use std::time::Duration;

use biplane_store::{Fence, RecordWrite, Records, StoreError, Write};
use tokio::time::timeout;

/// How long one portion may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The most writes of a portion, and the most bytes unless one alone is larger: Consul takes 64 and half a MiB.
const MOST: usize = 32;
const LARGEST: usize = 256 * 1024;

/// Writes all, in order. After an error some may have been written.
pub(super) async fn write(
    records: &dyn Records,
    fence: &Fence,
    writes: Vec<RecordWrite>,
) -> Result<(), StoreError> {
    for portion in portions(writes) {
        let written = timeout(DEADLINE, records.write(portion, Some(fence))).await;
        written.unwrap_or_else(|_| Err(late()))?;
    }
    Ok(())
}

/// A call under the deadline.
pub(super) async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(DEADLINE, call).await.unwrap_or_else(|_| Err(late()))
}

fn late() -> StoreError {
    StoreError::unavailable(format!("no answer within {DEADLINE:?}"))
}

fn portions(writes: Vec<RecordWrite>) -> Vec<Vec<RecordWrite>> {
    let mut portions: Vec<Vec<RecordWrite>> = Vec::new();
    let mut bytes = 0;
    for write in writes {
        let size = size(&write);
        match portions.last_mut() {
            Some(last) if last.len() < MOST && bytes + size <= LARGEST => {
                bytes += size;
                last.push(write);
            }
            _ => {
                bytes = size;
                portions.push(vec![write]);
            }
        }
    }
    portions
}

fn size(write: &RecordWrite) -> usize {
    let value = if let Write::Put(value) = &write.write { value.len() } else { 0 };
    write.path.len() + value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_keep_the_order_and_stay_below_what_a_store_takes() {
        let writes: Vec<_> =
            (0..100).map(|i| RecordWrite::put(format!("{i:03}"), vec![0; 20 * 1024])).collect();
        let large = RecordWrite::put("large", vec![0; LARGEST + 1]);
        let portions = portions(writes.iter().cloned().chain([large.clone()]).collect());
        assert!(portions.iter().all(|portion| portion.len() <= MOST));
        assert_eq!(portions.last(), Some(&vec![large.clone()]));
        assert_eq!(portions.concat(), [writes, vec![large]].concat());
    }
}
