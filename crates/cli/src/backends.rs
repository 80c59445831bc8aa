//! The stores that `--store` can name. This is the only place that knows backends: another one is a
//! folder below `storage-backends/` and a line here.

use std::path::Path;
use std::sync::Arc;

use biplane_store::{Store, StoreError};
use biplane_store_consul::{ConsulOptions, ConsulStore};
use biplane_store_etcd::{EtcdOptions, EtcdStore};
use biplane_store_file::{FileOptions, FileStore};

use crate::credentials;
use crate::exit::{Code, Failure};

const FORMS: &str =
    "etcd://HOST:2379/ROOT, consul://HOST:8500/ROOT, file:///etc/biplane/resources or ./resources";

/// Opens the store that `url` names. Nothing is asked of it yet.
pub(crate) fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    match url.split_once("://").map(|(scheme, _)| scheme) {
        None if url.is_empty() => Err(Failure::usage("--store is empty").hint(FORMS)),
        None | Some("file") => {
            Ok(Arc::new(files(FileOptions::from_url(url).map_err(|error| wrong(&error))?)?))
        }
        Some("etcd" | "etcds") => {
            let options = EtcdOptions::from_url(url, &environment).map_err(|error| wrong(&error))?;
            Ok(Arc::new(EtcdStore::connect(options).map_err(|error| unopened(&error))?))
        }
        Some("consul" | "consuls" | "consul+unix") => {
            let options = ConsulOptions::from_url(url, &environment).map_err(|error| wrong(&error))?;
            Ok(Arc::new(ConsulStore::connect(options).map_err(|error| unopened(&error))?))
        }
        Some(scheme) => {
            Err(Failure::usage(format!("there is no kind of store named {scheme:?}")).hint(FORMS))
        }
    }
}

/// The same, where a setting names a folder of a file store that may be written.
pub(crate) fn open_writable(url: &str, writable: Option<&Path>) -> Result<Arc<dyn Store>, Failure> {
    let Some(writable) = writable else { return open(url) };
    let mut options = FileOptions::from_url(url).map_err(|_| {
        let shown = credentials::hidden(url);
        Failure::usage(format!("adminWritableDirectory is for a store of files, and {shown} is none"))
    })?;
    options.writable = Some(writable.to_owned());
    Ok(Arc::new(files(options)?))
}

/// Opens a directory or a file as a store that is only read.
pub(crate) fn open_files(path: &Path) -> Result<FileStore, Failure> {
    files(FileOptions::new(path))
}

fn files(options: FileOptions) -> Result<FileStore, Failure> {
    FileStore::new(options).map_err(|error| unopened(&error))
}

/// The URL is at fault. Its credentials must not show where its text does.
fn wrong(error: &StoreError) -> Failure {
    with_hint(Code::Usage, error)
}

/// The store cannot be opened, or its options do not fit together.
fn unopened(error: &StoreError) -> Failure {
    let code = if matches!(error, StoreError::Invalid { .. }) { Code::Usage } else { Code::Unreachable };
    with_hint(code, error)
}

fn with_hint(code: Code, error: &StoreError) -> Failure {
    let failure = Failure::new(code, error.to_string());
    Failure { hint: error.hint().map(str::to_owned), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_scheme_is_refused_with_the_forms_that_work() {
        for (url, word) in [("s3://bucket", "no kind"), ("", "empty")] {
            let failure = open(url).expect_err("refused");
            assert!(failure.message.contains(word), "{failure}");
            assert_eq!((failure.code, failure.hint.as_deref()), (Code::Usage, Some(FORMS)));
        }
    }

    #[test]
    fn a_url_that_is_wrong_is_a_usage_error_that_repeats_no_password() {
        for url in ["file://", "file:///etc?write=a", "etcd://u:canary@h:2379/b", "consul://u:canary@h/b"] {
            let failure = open(url).expect_err("refused");
            assert_eq!(failure.code, Code::Usage, "{url}");
            assert!(!failure.to_string().contains("canary"), "{failure}");
        }
    }

    #[test]
    fn a_writable_folder_is_for_files_only() {
        let refused = open_writable("consul://127.0.0.1:8500", Some(Path::new("managed")));
        assert!(refused.is_err_and(|failure| failure.message.contains("store of files")));
    }
}
