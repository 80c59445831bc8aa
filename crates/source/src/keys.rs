//! Keys that others sign tokens with. They are public; what matters is that they are theirs, and that new ones are
//! known soon.

use std::fmt;

use async_trait::async_trait;
use tokio::sync::watch;

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
    told: watch::Sender<Told>,
}

#[derive(Debug, Default)]
struct Told {
    keys: Option<Vec<u8>>,
    fetches: usize,
}

impl FixedKeys {
    /// From now on these are the keys; none: it cannot be read.
    pub fn set(&self, keys: Option<Vec<u8>>) {
        self.told.send_modify(|told| told.keys = keys);
    }

    /// How often somebody has asked.
    pub fn fetches(&self) -> usize {
        self.told.borrow().fetches
    }

    /// Waits until somebody has asked that often.
    pub async fn until_fetched(&self, times: usize) {
        // It cannot fail: the sender is this one's.
        let _ = self.told.subscribe().wait_for(|told| told.fetches >= times).await;
    }
}

#[async_trait]
impl KeySource for FixedKeys {
    fn place(&self) -> String {
        "fixed keys".to_owned()
    }

    async fn fetch(&self) -> Result<Vec<u8>, SourceError> {
        self.told.send_modify(|told| told.fetches += 1);
        self.told.borrow().keys.clone().ok_or_else(|| SourceError::new("nobody has set keys"))
    }
}
