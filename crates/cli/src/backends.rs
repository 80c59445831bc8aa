//! The stores that `--store` can name, and the sources that `secrets` can. This is the only place that knows
//! backends: another one is a folder below `storage-backends/` and a line here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use biplane_source::{SecretSource, SourceError};
use biplane_store::{Store, StoreError};
use biplane_store_consul::{ConsulOptions, ConsulStore};
use biplane_store_etcd::{EtcdOptions, EtcdStore};
use biplane_store_file::{FileOptions, FileSecretOptions, FileSecrets, FileStore};
use biplane_store_vault::{VaultOptions, VaultSecrets};

use crate::credentials;
use crate::exit::{Code, Failure};

const SECRET_FORMS: &str = "vault://HOST:8200, vaults://HOST:8200 (by TLS), vault: (as VAULT_ADDR says), \
                            file:///etc/biplane/secrets, credentials:";

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

/// The directory, or the file, that a store reads; `None`: it is across a network.
pub(crate) fn directory(url: &str) -> Result<Option<PathBuf>, Failure> {
    let is_file = url.split_once("://").is_none_or(|(scheme, _)| scheme == "file");
    let options = is_file.then(|| FileOptions::from_url(url)).transpose().map_err(|error| wrong(&error))?;
    Ok(options.map(|options| options.root))
}

/// Opens a directory or a file as a store that is only read.
pub(crate) fn open_files(path: &Path) -> Result<FileStore, Failure> {
    files(FileOptions::new(path))
}

/// Opens the sources of secrets that these URLs name. Nothing is asked of them yet.
pub(crate) fn secrets(urls: &[String]) -> Result<Vec<Arc<dyn SecretSource>>, Failure> {
    let mut sources: Vec<Arc<dyn SecretSource>> = Vec::new();
    for url in urls {
        let source = secret_source(url)?;
        let name = source.name();
        if sources.iter().any(|other| other.name() == name) {
            return Err(Failure::usage(format!("secrets: two sources are named {name:?}"))
                .hint("give each a name of its own: ?name=..."));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn secret_source(url: &str) -> Result<Arc<dyn SecretSource>, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    Ok(match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("vault" | "vaults") => {
            let options = VaultOptions::from_url(url, &environment).map_err(wrong_source)?;
            Arc::new(VaultSecrets::connect(options).map_err(wrong_source)?)
        }
        Some("file" | "credentials") => {
            let options = FileSecretOptions::from_url(url, &environment).map_err(wrong_source)?;
            Arc::new(FileSecrets::open(options))
        }
        // A URL without a scheme may be anything, a token too.
        _ => return Err(Failure::usage("secrets: one of them is no source of secrets").hint(SECRET_FORMS)),
    })
}

/// What the URL or its files lack; it repeats no credentials.
fn wrong_source(error: SourceError) -> Failure {
    let failure = Failure::usage(format!("secrets: {}", error.message));
    Failure { hint: error.hint, ..failure }
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

    #[tokio::test]
    async fn sources_of_secrets_have_names_of_their_own_and_show_no_credentials() {
        let refused = |urls: &[&str]| {
            let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
            secrets(&urls).expect_err("refused")
        };
        assert!(refused(&["file:///tmp", "file:///var"]).message.contains("\"files\""));
        for url in ["s.canary", "vault://127.0.0.1:8200?token=canary", "vault://u:canary@h:8200"] {
            let failure = refused(&[url]);
            assert_eq!(failure.code, Code::Usage, "{url}");
            assert!(!failure.to_string().contains("canary"), "{failure}");
        }
        let two =
            ["file:///tmp?name=a", "vault://127.0.0.1:8200?name=b&auth=userpass&username=u&passwordFile=/p"];
        let names: Vec<_> = secrets(&two.map(str::to_owned)).expect("two").iter().map(|s| s.name()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_writable_folder_is_for_files_only() {
        let refused = open_writable("consul://127.0.0.1:8500", Some(Path::new("managed")));
        assert!(refused.is_err_and(|failure| failure.message.contains("store of files")));
    }
}
