//! Key material and credentials. Their bytes are wiped when dropped and never printed.
//!
//! A source is asked for one secret at a time ([`SecretRequest`]) and keeps it fresh by itself: it reads stored
//! values again, has certificates issued anew long before they end, and logs in for as long as the process lives.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use biplane_core::key::ResourceRef;
use biplane_core::resources::secret::{VaultAws, VaultKv, VaultPki};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{Listing, SourceError, SourceState, Watch};

/// What is asked of a source. A source that cannot tell what is asked answers with a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretRequest {
    /// The values at a place in a key-value engine, by the names that they have there. A value that is no text is
    /// given as JSON.
    Kv(VaultKv),
    /// A certificate, as `certChain`, `privateKey` and `rootCa`, all in PEM. The last holds every root that
    /// certificates of this engine may chain to, so that a new root is known before a certificate that it signed.
    Pki(VaultPki),
    /// Credentials of AWS, as `accessKey`, `secretKey` and `sessionToken`.
    Aws(VaultAws),
    /// The files of a directory below that of the source, by their names. Or one file: a certificate chain with its
    /// key in PEM as `certChain` and `privateKey`, certificates alone as `rootCa`, anything else by the file's name.
    Path(String),
    /// A whole object of this name, in the layout that Gloo has for secrets: its fields, each as JSON.
    Object(ResourceRef),
}

/// How a secret is to be watched.
#[derive(Clone, Debug, Default)]
pub struct SecretOptions {
    /// How often what may change without a word is read again; none: as often as the source likes.
    pub refresh: Option<Duration>,
    /// What an earlier run got for the same request. A source that would only make a new one of the same
    /// worth begins with it and renews it when its time comes; others read anew.
    pub known: Option<Secret>,
}

/// One secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Values by field name.
    pub fields: BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// The version that its keeper counts; a lower one than before is an answer of a server that is behind.
    pub version: Option<u64>,
    /// When it was read or issued.
    pub obtained: SystemTime,
    /// When the source will have a new one made; none: it is stored, and lasts.
    pub renews: Option<SystemTime>,
    /// When it ends to be of use.
    pub expires: Option<SystemTime>,
}

impl Secret {
    /// A secret that was just read and lasts.
    pub fn new(fields: BTreeMap<String, Zeroizing<Vec<u8>>>) -> Self {
        Self { fields, version: None, obtained: SystemTime::now(), renews: None, expires: None }
    }

    /// Whether the values are those of `other`, whenever and wherever they were read.
    pub fn same_values(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Listing<Option<Secret>> {
    /// Whether `other` has no news, other than when it was read or issued.
    pub fn is_no_news(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Complete(Some(one)), Self::Complete(Some(other))) => {
                *one == Secret { obtained: one.obtained, ..other.clone() }
            }
            _ => self == other,
        }
    }
}

/// Names only.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .field("version", &self.version)
            .field("renews", &self.renews)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A source of secrets. `None` is known absent, which is answered differently from unknown.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// As status shows it and as objects name it, without credentials.
    fn name(&self) -> String;

    /// What it is: `vault`, `files`.
    fn kind(&self) -> &'static str;

    /// Whether Envoys are to wait for their first answer until it has answered. By setting.
    fn required(&self) -> bool;

    /// Whether it holds objects of its own ([`SecretRequest::Object`]), which need none in the config store.
    fn has_objects(&self) -> bool;

    /// How it is doing, from now on.
    fn state(&self) -> watch::Receiver<SourceState>;

    /// The secret now. Never more than a deadline away.
    async fn read(&self, request: &SecretRequest) -> Result<Option<Secret>, SourceError>;

    /// The secret from now on, for as long as the stream is polled. Nothing runs when it is dropped.
    fn watch(&self, request: &SecretRequest, options: SecretOptions) -> Watch<Option<Secret>>;

    /// Everything that is watched is read again at once: somebody knows that something has changed.
    fn refresh(&self);

    /// What has happened so far, counted, by a word for metrics (`logins`, `renewals_failed`); none where nothing
    /// is counted.
    fn counters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_the_same_again_is_no_news_and_a_new_end_is() {
        let secret = Secret::new(BTreeMap::from([("a".to_owned(), Zeroizing::new(b"1".to_vec()))]));
        let told = Listing::Complete(Some(secret.clone()));
        let later = secret.obtained + Duration::from_secs(1);
        assert!(told.is_no_news(&Listing::Complete(Some(Secret { obtained: later, ..secret.clone() }))));
        assert!(!told.is_no_news(&Listing::Complete(Some(Secret { expires: Some(later), ..secret }))));
        assert!(!told.is_no_news(&Listing::Complete(None)));
        assert!(!told.is_no_news(&Listing::Failed(SourceError::new("gone"))));
    }

    #[test]
    fn a_secret_prints_its_field_names_and_never_a_value() {
        let fields = BTreeMap::from([("password".to_owned(), Zeroizing::new(b"hunter2".to_vec()))]);
        let printed = format!("{:?}", Secret::new(fields));
        assert!(printed.contains(r#"["password"]"#) && !printed.contains("hunter2"), "{printed}");
    }
}
