//! Where the file of an object lies, whatever its name: every name has a place that the reader reads.

use std::path::{Path, PathBuf};

use biplane_core::key::ObjectKey;
use xxhash_rust::xxh3::xxh3_64;

/// What a file system takes for a name, less the ending and a hash.
const LONGEST: usize = 200;

/// `<directory>/<Kind>/<namespace>/<name>.yaml`.
pub(crate) fn of(directory: &Path, key: &ObjectKey) -> PathBuf {
    let folder = directory.join(key.kind.as_str()).join(part(&key.namespace));
    folder.join(format!("{}.yaml", part(&key.name)))
}

/// A name as a part of a path. A first character that would hide it is written as `%XX`, and so is the percent
/// sign itself; a name that is too long is cut, and told from others by its hash.
fn part(name: &str) -> String {
    let escaped = name.replace('%', "%25");
    let visible = match escaped.chars().next() {
        Some(first @ ('.' | '#')) => format!("%{:02X}{}", u32::from(first), &escaped[1..]),
        _ if escaped == "lost+found" => "lost%2Bfound".to_owned(),
        _ => escaped,
    };
    if visible.len() <= LONGEST {
        return visible;
    }
    let cut = visible.floor_char_boundary(LONGEST);
    format!("{}%~{:016x}", &visible[..cut], xxh3_64(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::OsStr;

    use biplane_core::key::{Kind, MAX_NAME};

    use super::*;
    use crate::names::{is_resource, is_skipped};

    #[test]
    fn an_object_has_a_file_of_its_own() {
        let key = ObjectKey::new(Kind::VirtualService, "default", "petstore");
        let place = of(Path::new("/etc/biplane/managed"), &key);
        assert_eq!(place, Path::new("/etc/biplane/managed/VirtualService/default/petstore.yaml"));
    }

    #[test]
    fn every_name_has_a_place_of_its_own_that_is_read() {
        let (long, longer) = ("n".repeat(MAX_NAME - 1), "n".repeat(MAX_NAME));
        let names =
            [".hidden", "%2Ehidden", "#tag", "lost+found", "a%", "a%25", "a.yaml", "~", &long, &longer];
        let places: BTreeSet<_> = names.into_iter().map(part).collect();
        assert_eq!(places.len(), names.len(), "{places:?}");
        for place in places {
            assert!(!is_skipped(OsStr::new(&place)), "{place}");
            let file = format!("{place}.yaml");
            assert!(is_resource(OsStr::new(&file)) && file.len() <= 255, "{file}");
        }
    }
}
