//! Keys that others sign tokens with. They are public; what matters is that they are theirs, and that new ones are
//! known soon.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::SourceError;

/// A place where somebody who signs tokens publishes the keys to verify them with, as a JSON Web Key Set.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Where that is, for logs; without credentials.
    fn place(&self) -> String;

    /// The set as it is now. Never more than a deadline away; an answer that is cut off or is none is a failure.
    async fn fetch(&self) -> Result<Vec<u8>, SourceError>;
}

/// Keys that somebody sets: the reference source, for tests of everything that reads keys.
#[derive(Debug, Default)]
pub struct FixedKeys {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    keys: Option<Vec<u8>>,
    fetches: usize,
}

impl FixedKeys {
    /// From now on these are the keys; none: it cannot be read.
    pub fn set(&self, keys: Option<Vec<u8>>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).keys = keys;
    }

    /// How often somebody has asked.
    pub fn fetches(&self) -> usize {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).fetches
    }
}

#[async_trait]
impl KeySource for FixedKeys {
    fn place(&self) -> String {
        "fixed keys".to_owned()
    }

    async fn fetch(&self) -> Result<Vec<u8>, SourceError> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.fetches += 1;
        told.keys.clone().ok_or_else(|| SourceError::new("nobody has set keys"))
    }
}
