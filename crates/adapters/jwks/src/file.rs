//! Keys in a file.

use std::path::PathBuf;

use async_trait::async_trait;
use biplane_source::{KeySource, SourceError};
use tokio::io::AsyncReadExt as _;

use crate::LARGEST;

/// A file with a key set.
#[derive(Debug)]
pub(crate) struct FileKeys(pub(crate) PathBuf);

#[async_trait]
impl KeySource for FileKeys {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    async fn fetch(&self) -> Result<Vec<u8>, SourceError> {
        let unreadable = |error: std::io::Error| SourceError::new(format!("{}: {error}", self.0.display()));
        let file = tokio::fs::File::open(&self.0).await.map_err(unreadable)?;
        let mut text = Vec::new();
        file.take(LARGEST as u64 + 1).read_to_end(&mut text).await.map_err(unreadable)?;
        if text.len() > LARGEST {
            return Err(SourceError::invalid(format!("{} is larger than 1 MiB", self.0.display())));
        }
        Ok(text)
    }
}
