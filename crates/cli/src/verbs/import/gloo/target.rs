//! Where the objects go.

use std::sync::Arc;

use biplane_editor::Editor;
use biplane_store::{MemoryStore, Store};

use super::take::with_parameter;
use crate::backends;
use crate::connect::{Connection, End};
use crate::exit::Failure;

/// A store that is written to.
pub(super) struct Target {
    /// Its name; `None`: nobody named one.
    pub(super) name: Option<String>,
    /// What reads and changes it.
    pub(super) connection: Connection,
}

/// Opens what `--to` names. A directory that is to be written comes into being here.
pub(super) fn open(to: Option<&str>, dry_run: bool) -> Result<Target, Failure> {
    let Some(to) = to else { return Ok(Target { name: None, connection: empty() }) };
    let Some(path) = directory(to) else { return Ok(of(backends::open(to)?)) };
    if !dry_run {
        std::fs::create_dir_all(path)
            .map_err(|error| Failure::failed(format!("cannot make the directory {path}: {error}")))?;
    } else if !std::path::Path::new(path).exists() {
        return Ok(Target { name: Some(to.to_owned()), connection: empty() });
    }
    let url = if to.contains("://") { to.to_owned() } else { format!("file://{}", escaped(to)) };
    Ok(of(backends::open(&with_parameter(&url, "writable", "."))?))
}

fn of(store: Arc<dyn Store>) -> Target {
    Target { name: Some(store.describe().name), connection: straight_to(store) }
}

/// A store that holds nothing, to try what is taken in.
fn empty() -> Connection {
    straight_to(Arc::new(MemoryStore::new("import")))
}

fn straight_to(store: Arc<dyn Store>) -> Connection {
    Connection { resources: Arc::new(Editor::new(store.clone())), end: End::Store(store) }
}

/// The directory, if it is one that is named.
fn directory(to: &str) -> Option<&str> {
    match to.split_once("://") {
        None => Some(to),
        Some(("file", rest)) => Some(rest.split_once('?').map_or(rest, |(path, _)| path)),
        Some(_) => None,
    }
}

/// A path as a URL holds it.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F")
}
