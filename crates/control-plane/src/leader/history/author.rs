//! Who wrote a version, as far as an intent says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use biplane_store::{Author, Intent, Revision, layout};

use crate::leader::feed::Version;

/// What is known of one object.
#[derive(Debug, Default)]
struct Object<'a> {
    /// The versions that are to be written down.
    coming: BTreeSet<Revision>,
    /// Who wrote it, and who deleted it, by the intent's revision.
    puts: BTreeMap<Revision, &'a Author>,
    deletes: BTreeMap<Revision, &'a Author>,
}

/// The author of each version, or none; intents that are older than all versions are not looked at.
pub(super) fn authors<'a>(
    versions: &[Version],
    intents: impl Iterator<Item = &'a (Revision, Intent)>,
) -> Vec<Author> {
    let mut objects: HashMap<String, Object<'a>> = HashMap::new();
    for version in versions {
        let object = objects.entry(layout::format_key(&version.key)).or_default();
        object.coming.insert(version.revision);
    }
    let oldest = versions.iter().map(|version| version.revision).min().unwrap_or_default();
    for (at, intent) in intents.filter(|(at, _)| *at >= oldest) {
        for key in &intent.puts {
            objects.get_mut(key).map(|object| object.puts.entry(*at).or_insert(&intent.author));
        }
        for key in &intent.deletes {
            objects.get_mut(key).map(|object| object.deletes.entry(*at).or_insert(&intent.author));
        }
    }
    let author = |version: &Version| objects[&layout::format_key(&version.key)].author(version);
    versions.iter().map(author).collect()
}

impl Object<'_> {
    /// The first intent from a version's revision on that names the object. It is a later one when a batch was
    /// written in several steps; one that wrote a later version of the same object, which is among those that are
    /// coming, is not it.
    fn author(&self, version: &Version) -> Author {
        let intents = if version.value.is_some() { &self.puts } else { &self.deletes };
        let Some((at, author)) = intents.range(version.revision..).next() else { return Author::default() };
        let next = self.coming.range(version.revision.next()..).next();
        if next.is_none_or(|next| next > at) { (*author).clone() } else { Author::default() }
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::key::{Kind, ObjectKey};
    use biplane_core::scalars::Timestamp;

    use super::*;

    fn version(revision: u64, is_deleted: bool) -> Version {
        let value = (!is_deleted).then(|| "{}".into());
        Version { key: ObjectKey::new(Kind::Upstream, "a", "b"), revision: Revision(revision), value }
    }

    fn intent(revision: u64, who: &str, deletes: bool) -> (Revision, Intent) {
        let author = Author { name: who.to_owned(), message: String::new() };
        let keys = |are: bool| if are { vec!["Upstream/a/b".to_owned()] } else { Vec::new() };
        let (puts, deletes) = (keys(!deletes), keys(deletes));
        (Revision(revision), Intent { author, at: Timestamp(0), puts, deletes, accepts: None })
    }

    #[test]
    fn author_is_who_left_the_first_word_from_the_version_on_and_not_of_a_later_one() {
        let versions = [version(3, false), version(5, false), version(7, true), version(9, false)];
        let intents = [
            intent(2, "early", false),
            intent(6, "ann", false),
            intent(8, "bob", true),
            intent(8, "no", false),
        ];
        let authors = authors(&versions, intents.iter());
        let names: Vec<_> = authors.iter().map(|author| &*author.name).collect();
        assert_eq!(names, ["", "ann", "bob", ""]);
    }
}
