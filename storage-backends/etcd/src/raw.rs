//! Keys and values as etcd tells them, in types of our own, so that what they mean can be decided without a server.

use bytes::Bytes;
use etcd_client::{Event, EventType, KeyValue};

/// A key that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Bytes,
    /// The revision at which it came to be.
    pub(crate) created: u64,
    /// The revision at which it last changed.
    pub(crate) revision: u64,
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It is this now.
    Put(Raw),
    /// It is gone.
    Deleted { key: Vec<u8>, revision: u64 },
}

impl Happened {
    /// Nothing, if etcd tells of no key.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let kv = event.kv()?;
        Some(match event.event_type() {
            EventType::Put => Self::Put(Raw {
                key: kv.key().to_vec(),
                value: Bytes::copy_from_slice(kv.value()),
                created: unsigned(kv.create_revision()),
                revision: unsigned(kv.mod_revision()),
            }),
            EventType::Delete => {
                Self::Deleted { key: kv.key().to_vec(), revision: unsigned(kv.mod_revision()) }
            }
        })
    }

    pub(crate) const fn revision(&self) -> u64 {
        match self {
            Self::Put(raw) => raw.revision,
            Self::Deleted { revision, .. } => *revision,
        }
    }

    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Self::Put(raw) => &raw.key,
            Self::Deleted { key, .. } => key,
        }
    }
}

impl From<KeyValue> for Raw {
    fn from(kv: KeyValue) -> Self {
        let (created, revision) = (unsigned(kv.create_revision()), unsigned(kv.mod_revision()));
        let (key, value) = kv.into_key_value();
        Self { key, value: value.into(), created, revision }
    }
}

/// etcd's numbers are signed and never negative.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The way back.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
