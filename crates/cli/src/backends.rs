//! The stores that `--store` can name. This is the only place that knows backends: another one is a
//! folder below `storage-backends/` and a line here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use biplane_store::Store;
use biplane_store_file::{FileOptions, FileStore};

use crate::exit::Failure;

/// Stores that the design has and this version has not.
const PLANNED: [&str; 2] = ["etcd", "consul"];

/// Opens the store that `url` names.
pub(crate) fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(open_files(&directory(url)?)?))
}

/// Opens a directory or a file as a store.
pub(crate) fn open_files(path: &Path) -> Result<FileStore, Failure> {
    FileStore::new(FileOptions::new(path)).map_err(|error| {
        let failure = Failure::unreachable(error.to_string());
        Failure { hint: error.hint().map(str::to_owned), ..failure }
    })
}

/// The directory that a URL of a file store names, or a path as it is.
fn directory(url: &str) -> Result<PathBuf, Failure> {
    match url.split_once("://") {
        None if url.is_empty() => Err(Failure::usage("--store is empty").hint(FORMS)),
        None => Ok(PathBuf::from(url)),
        Some(("file", "")) => Err(Failure::usage(format!("{url:?} names no directory")).hint(FORMS)),
        Some(("file", path)) => Ok(PathBuf::from(path)),
        Some((scheme, _)) if PLANNED.contains(&scheme) => {
            Err(Failure::usage(format!("stores in {scheme} are not yet in this version")).hint(FORMS))
        }
        Some((scheme, _)) => {
            Err(Failure::usage(format!("there is no kind of store named {scheme:?}")).hint(FORMS))
        }
    }
}

const FORMS: &str = "name a directory, such as file:///etc/biplane/resources or ./resources";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_path_or_a_file_url() {
        let path = |url| directory(url).ok();
        assert_eq!(path("file:///etc/biplane"), Some(PathBuf::from("/etc/biplane")));
        assert_eq!(path("file://resources"), Some(PathBuf::from("resources")));
        assert_eq!(path("./resources"), Some(PathBuf::from("./resources")));
    }

    #[test]
    fn another_scheme_is_refused_with_the_forms_that_work() {
        for (url, word) in [
            ("etcd://h:2379", "not yet"),
            ("s3://bucket", "no kind"),
            ("file://", "no directory"),
            ("", "empty"),
        ] {
            let failure = directory(url).expect_err("refused");
            assert!(failure.message.contains(word), "{failure}");
            assert_eq!(failure.hint.as_deref(), Some(FORMS));
        }
    }
}
