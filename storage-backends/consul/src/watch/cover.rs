//! Into which parts a large prefix is cut, so that a change costs one part and not all of it. Pure.
//!
//! A part is a string prefix below `config/`; no part is a prefix of another. Keys that lie in no part do not go
//! unseen: each folder that is cut is watched by the names in it, and a name that no part covers becomes one.

use std::collections::{BTreeMap, BTreeSet};

use crate::place::MARKS;

/// How a prefix is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    /// What is watched with its content.
    pub(crate) parts: BTreeSet<String>,
    /// What is watched by its names: `""`, or a folder that ends with a slash.
    pub(crate) folders: BTreeSet<String>,
}

/// Folders that start alike.
#[derive(Debug)]
struct Group<'a> {
    prefix: String,
    names: Vec<(&'a str, usize)>,
}

impl Cover {
    /// Everything is one part.
    pub(crate) fn whole() -> Self {
        Self { parts: BTreeSet::from([String::new()]), folders: BTreeSet::new() }
    }

    /// The cover of these keys: whole up to `whole_bytes`, else at most about `max` parts, the largest cut first.
    pub(crate) fn of<'a>(
        keys: impl Iterator<Item = (&'a str, usize)>,
        whole_bytes: usize,
        max: usize,
    ) -> Self {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, size) in keys.filter(|(key, _)| !key.starts_with(MARKS)) {
            *sizes.entry(folder(key)).or_default() += size;
        }
        if sizes.values().sum::<usize>() <= whole_bytes {
            return Self::whole();
        }
        let parts: BTreeSet<_> = cut(sizes.into_iter().collect(), max).into_iter().collect();
        let folders = parts.iter().flat_map(|part| above(part)).chain([String::new()]).collect();
        Self { parts, folders }
    }

    /// Whether everything is one part.
    pub(crate) fn is_whole(&self) -> bool {
        self.folders.is_empty()
    }

    /// Whether changes of this name, a key or a folder, are seen.
    pub(crate) fn covers(&self, name: &str) -> bool {
        // The marks are read by themselves, each time that something has changed.
        name.starts_with(MARKS)
            || self.folders.contains(name)
            || self.parts.iter().any(|part| name.starts_with(part.as_str()))
    }
}

/// The folder of a key, or the key itself if it lies in none.
fn folder(key: &str) -> &str {
    key.rfind('/').map_or(key, |at| &key[..=at])
}

/// The folders above a part that have other things in them: all that the part does not cover.
fn above(part: &str) -> impl Iterator<Item = String> {
    part.match_indices('/').map(|(at, _)| part[..=at].to_owned()).filter(move |folder| folder != part)
}

/// Cuts the largest group again and again.
fn cut(names: Vec<(&str, usize)>, max: usize) -> Vec<String> {
    let common = names[0].0[..common_prefix(&names)].to_owned();
    let all = Group { prefix: common.clone(), names };
    if !all.can_split() {
        return vec![common];
    }
    let mut groups = split(&all.names);
    loop {
        let largest = groups.iter().enumerate().filter(|(_, group)| group.can_split());
        let Some((at, _)) = largest.max_by_key(|(_, group)| group.size()) else { break };
        let parts = split(&groups[at].names);
        if groups.len() - 1 + parts.len() > max {
            break;
        }
        groups.swap_remove(at);
        groups.extend(parts);
    }
    groups.into_iter().map(|group| group.prefix).collect()
}

/// The names by the letter after what all of them start with.
fn split<'a>(names: &[(&'a str, usize)]) -> Vec<Group<'a>> {
    let common = common_prefix(names);
    let mut groups: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for (name, size) in names {
        let next = name[common..].chars().next().map_or(0, char::len_utf8);
        groups.entry(&name[..common + next]).or_default().push((name, *size));
    }
    groups.into_iter().map(|(prefix, names)| Group { prefix: prefix.to_owned(), names }).collect()
}

fn common_prefix(names: &[(&str, usize)]) -> usize {
    let (first, rest) = names.split_first().expect("a group has names");
    let common = |a: &str, b: &str| -> usize {
        a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
    };
    rest.iter().map(|(name, _)| common(first.0, name)).min().unwrap_or(first.0.len())
}

impl Group<'_> {
    fn size(&self) -> usize {
        self.names.iter().map(|(_, size)| size).sum()
    }

    /// A name that all others start with cannot be told from them by a prefix.
    fn can_split(&self) -> bool {
        let common = common_prefix(&self.names);
        self.names.len() > 1 && self.names.iter().all(|(name, _)| name.len() > common)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(keys: &[&str], max: usize) -> Cover {
        Cover::of(keys.iter().map(|key| (*key, 10)), 15, max)
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_small_prefix_is_one_part() {
        assert_eq!(cover(&["_store", "Upstream/a/x"], 64), Cover::whole());
        assert!(Cover::whole().covers("Upstream/a/x") && Cover::whole().is_whole());
    }

    #[test]
    fn kinds_and_namespaces_become_parts_and_what_is_new_beside_them_is_not_covered() {
        let cover = cover(&["_store", "Upstream/a/x", "VirtualService/a/x", "VirtualService/b/x"], 64);
        assert_eq!(cover.parts, set(&["U", "VirtualService/a", "VirtualService/b"]));
        assert_eq!(cover.folders, set(&["", "VirtualService/"]));
        for covered in ["_batch", "UpstreamGroup/", "VirtualService/", "VirtualService/abc/"] {
            assert!(cover.covers(covered), "{covered}");
        }
        for new in ["Secret/", "VirtualService/c/", "VirtualHostOption/"] {
            assert!(!cover.covers(new), "{new}");
        }
    }

    #[test]
    fn a_hundred_namespaces_fit_into_few_parts_that_do_not_overlap() {
        let keys: Vec<_> = (0..100).map(|n| format!("VirtualService/team-{n}/x")).collect();
        let cover = Cover::of(keys.iter().map(|key| (key.as_str(), 10)), 15, 64);
        assert!((10..=64).contains(&cover.parts.len()), "{:?}", cover.parts);
        for key in &keys {
            let holders = cover.parts.iter().filter(|part| key.starts_with(part.as_str()));
            assert_eq!(holders.count(), 1, "{key}");
        }
    }

    #[test]
    fn a_single_large_folder_is_one_part() {
        let cover = cover(&["Upstream/a/x", "Upstream/a/y"], 64);
        assert_eq!(cover.parts, set(&["Upstream/a/"]));
        assert_eq!(cover.folders, set(&["", "Upstream/"]));
    }

    #[test]
    fn a_key_that_is_the_start_of_a_folder_stays_with_it() {
        let cover = cover(&["Upstream", "Upstream/a/x", "Secret/a/x"], 64);
        assert_eq!(cover.parts, set(&["S", "U"]));
    }
}
