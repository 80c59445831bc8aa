//! All keys of a folder at one revision, in answers that are neither many nor large: each page is as long as the
//! values that the last one held let it be, so that it arrives within the deadline of a call over a thin link too.

use biplane_store::StoreError;
use etcd_client::GetOptions;

use crate::list::unless_forgotten;
use crate::members::Link;
use crate::place::behind;
use crate::raw::{Raw, signed};
use crate::store::Core;

/// Keys of the first page, when nothing is known of the values.
const FIRST: usize = 128;

/// Keys of the longest page.
const LONGEST: usize = 10_000;

/// Bytes that a page should have, give or take what its values differ from the last one's.
const BYTES: usize = 2 * 1024 * 1024;

/// What is wanted of a folder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Only keys that are greater.
    pub(crate) after: Option<&'a str>,
    /// Without values.
    pub(crate) keys_only: bool,
}

/// All keys of a folder, sorted; `None`: etcd does not know that revision.
pub(crate) async fn folder(core: &Core, folder: &str, revision: u64) -> Result<Option<Vec<Raw>>, StoreError> {
    part(core, folder, Wanted::default(), revision).await
}

/// Those keys of a folder that are wanted.
pub(crate) async fn part(
    core: &Core,
    folder: &str,
    wanted: Wanted<'_>,
    revision: u64,
) -> Result<Option<Vec<Raw>>, StoreError> {
    let options = GetOptions::new().with_range(behind(folder)).with_revision(signed(revision));
    let options = if wanted.keys_only { options.with_keys_only() } else { options };
    let mut keys: Vec<Raw> = Vec::new();
    let Some(mut from) = begin(folder, wanted.after) else { return Ok(Some(keys)) };
    let mut length = FIRST;
    loop {
        let limited = || options.clone().with_limit(i64::try_from(length).unwrap_or(i64::MAX));
        let page = |link: Link| unless_forgotten(link.get(from.clone(), limited()));
        let Some(mut answer) = core.members.read("list the store", page).await? else { return Ok(None) };
        let more = answer.more();
        let page: Vec<_> = answer.take_kvs().into_iter().map(Raw::from).collect();
        length = next_length(&page);
        keys.extend(page);
        match keys.last() {
            Some(last) if more => from = next(&last.key),
            _ => return Ok(Some(keys)),
        }
    }
}

/// The first key that there can be in the folder behind `after`; nothing: there can be none.
fn begin(folder: &str, after: Option<&str>) -> Option<Vec<u8>> {
    let from = after.map_or_else(Vec::new, |after| next(after.as_bytes()));
    let from = from.max(folder.as_bytes().to_vec());
    (from < behind(folder)).then_some(from)
}

/// The next key that there can be.
fn next(key: &[u8]) -> Vec<u8> {
    [key, b"\0"].concat()
}

/// How many keys like these make a page.
fn next_length(page: &[Raw]) -> usize {
    let bytes: usize = page.iter().map(|raw| raw.key.len() + raw.value.len()).sum();
    (BYTES * page.len()).checked_div(bytes).map_or(FIRST, |length| length.clamp(1, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(keys: usize, bytes: usize) -> Vec<Raw> {
        let raw = Raw { key: Vec::new(), value: vec![0; bytes].into(), created: 1, revision: 1 };
        vec![raw; keys]
    }

    #[test]
    fn a_page_is_as_long_as_its_values_are_small() {
        assert_eq!(next_length(&page(128, 1024)), 2048);
        assert_eq!(next_length(&page(128, 1024 * 1024)), 2);
        assert_eq!(next_length(&page(3, 4 * 1024 * 1024)), 1);
        assert_eq!(next_length(&page(128, 1)), LONGEST);
        assert_eq!(next_length(&[]), FIRST);
    }
}
