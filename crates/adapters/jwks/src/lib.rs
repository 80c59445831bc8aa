//! Where issuers of tokens publish their keys: a URL, such as Nomad's `/.well-known/jwks.json`, or a file.
//!
//! Invariant: keys come from whom the settings name. They are not asked for in the clear beyond this machine, and no
//! redirect leads elsewhere.
#![forbid(unsafe_code)]

mod file;
mod http;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use biplane_source::{KeySource, SourceError};

use file::FileKeys;
use http::HttpKeys;

/// The largest set that is read.
const LARGEST: usize = 1024 * 1024;

/// The source that `place` names: `https://HOST/PATH`, `http://127.0.0.1:PORT/PATH`, or a file. Nothing is read yet,
/// but for the authority of its certificate.
pub fn open(place: &str, ca_file: Option<&Path>) -> Result<Arc<dyn KeySource>, SourceError> {
    match place.split_once("://") {
        Some(("http" | "https", _)) => Ok(Arc::new(HttpKeys::open(place, ca_file)?)),
        Some(("file", path)) => Ok(Arc::new(FileKeys(PathBuf::from(path)))),
        Some((scheme, _)) => Err(SourceError::invalid(format!("keys cannot be read from {scheme}://"))
            .hint("name https://HOST/PATH, http://127.0.0.1:PORT/PATH, or a file")),
        None => Ok(Arc::new(FileKeys(PathBuf::from(place)))),
    }
}
