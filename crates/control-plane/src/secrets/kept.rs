//! What of a secret goes on disk, sealed: what its source gave, so that a restart serves it whatever is down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_core::key::ResourceRef;
use biplane_source as source;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// One secret as the snapshot on disk keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    /// The secret.
    pub name: ResourceRef,
    /// What was asked, and of whom: after a change of either the values are those of something else.
    pub question: String,
    /// The answer.
    pub secret: Arc<source::Secret>,
    /// Roots that stay beside the new ones, in PEM; empty: none.
    pub old_roots: String,
}

/// The part of it that is sealed, as text.
#[derive(Serialize, Deserialize)]
struct Sealed {
    question: String,
    fields: BTreeMap<String, String>,
    version: Option<u64>,
    obtained: u64,
    renews: Option<u64>,
    expires: Option<u64>,
    #[serde(default)]
    old_roots: String,
}

impl KeptSecret {
    /// The text to seal.
    pub(crate) fn to_text(&self) -> Zeroizing<Vec<u8>> {
        let seconds =
            |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let secret = &self.secret;
        let fields = secret.fields.iter().map(|(name, value)| (name.clone(), STANDARD.encode(&**value)));
        let sealed = Sealed {
            question: self.question.clone(),
            fields: fields.collect(),
            version: secret.version,
            obtained: seconds(secret.obtained),
            renews: secret.renews.map(seconds),
            expires: secret.expires.map(seconds),
            old_roots: self.old_roots.clone(),
        };
        let text = serde_json::to_vec(&sealed).expect("plain data");
        wipe(sealed.fields);
        Zeroizing::new(text)
    }

    /// The secret that was sealed so.
    pub(crate) fn from_text(name: ResourceRef, text: &[u8]) -> Option<Self> {
        let sealed: Sealed = serde_json::from_slice(text).ok()?;
        let time = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let decode = |(name, value): (&String, &String)| {
            Some((name.clone(), Zeroizing::new(STANDARD.decode(value).ok()?)))
        };
        let fields: Option<_> = sealed.fields.iter().map(decode).collect();
        wipe(sealed.fields);
        let secret = source::Secret {
            fields: fields?,
            version: sealed.version,
            obtained: time(sealed.obtained),
            renews: sealed.renews.map(time),
            expires: sealed.expires.map(time),
        };
        Some(Self { name, question: sealed.question, secret: Arc::new(secret), old_roots: sealed.old_roots })
    }
}

fn wipe(fields: BTreeMap<String, String>) {
    for value in fields.into_values() {
        drop(Zeroizing::new(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_secret_reads_back_as_it_was() {
        let fields = BTreeMap::from([("key".to_owned(), Zeroizing::new(vec![0, 0xff, b'a']))]);
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let secret = source::Secret {
            fields,
            version: Some(3),
            obtained: time(10),
            renews: Some(time(20)),
            expires: None,
        };
        let name = ResourceRef::new("default", "web");
        let kept = KeptSecret {
            name: name.clone(),
            question: "q".into(),
            secret: Arc::new(secret),
            old_roots: "r".into(),
        };
        assert_eq!(KeptSecret::from_text(name.clone(), &kept.to_text()), Some(kept));
        assert_eq!(KeptSecret::from_text(name, b"{}"), None);
    }
}
