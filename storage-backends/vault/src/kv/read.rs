//! One reading of one place.

use std::collections::BTreeMap;
use std::time::SystemTime;

use biplane_core::scalars::Timestamp;
use biplane_source::{Secret, SourceError};
use serde::Deserialize;
use vaultrs::api::kv1::requests::GetSecretRequest;
use vaultrs::api::kv2::requests::{ReadSecretMetadataRequest, ReadSecretRequest};

use super::Place;
use super::fields::{Field, values};
use crate::client::{Answer, Call, Failure, Json, Kind};
use crate::mounts::KvVersion;
use crate::time::moment;
use crate::vault::Vault;

/// What is at a place.
pub(crate) enum Reading {
    /// Values.
    Values(Stored),
    /// A version without values: deleted, or destroyed.
    Gone(Mark),
    /// Nothing, in an engine that is there.
    Absent,
}

/// Values that were stored.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) secret: Secret,
    /// Which version they are, where the engine counts.
    pub(crate) mark: Option<Mark>,
}

/// A version of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) version: u64,
    /// When it was made.
    pub(crate) created: Option<(Timestamp, u32)>,
}

/// What is known of a secret without its values.
pub(crate) struct Current {
    pub(crate) version: u64,
    /// Deleted, or destroyed.
    pub(crate) is_gone: bool,
}

impl Mark {
    /// Whether an answer with this version is older than `served`: that of a server that is behind. A secret that was
    /// erased and made anew counts from 1 again, later.
    pub(crate) fn is_behind(&self, served: &Self) -> bool {
        let is_later = match (self.created, served.created) {
            (Some(ours), Some(theirs)) => ours > theirs,
            _ => false,
        };
        self.version < served.version && !is_later
    }
}

/// What a versioned engine answers with.
#[derive(Deserialize)]
struct Versioned {
    data: Option<BTreeMap<String, Field>>,
    metadata: Option<VersionMetadata>,
}

#[derive(Deserialize)]
struct VersionMetadata {
    version: u64,
    #[serde(default)]
    created_time: String,
}

#[derive(Deserialize)]
struct Metadata {
    current_version: u64,
    versions: BTreeMap<String, Life>,
}

#[derive(Deserialize)]
struct Life {
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

/// Reads a place. Whether nothing is there is made sure of with what is mounted there.
pub(crate) async fn read(vault: &Vault, place: &Place) -> Result<Reading, Failure> {
    let version = match place.version {
        Some(version) => version,
        None => vault.mounts.kv_version(vault, &place.mount).await?,
    };
    match read_as(vault, place, version).await? {
        Reading::Absent => absent(vault, place, version).await,
        reading => Ok(reading),
    }
}

/// Makes sure that nothing is there: an engine of another kind, or none, answers the same.
async fn absent(vault: &Vault, place: &Place, version: KvVersion) -> Result<Reading, Failure> {
    let mounted = vault.mounts.confirm(vault, &place.mount).await?;
    match place.version {
        _ if mounted == version => Ok(Reading::Absent),
        None => read_as(vault, place, mounted).await,
        Some(_) => Err(wrong_version(place, mounted)),
    }
}

async fn read_as(vault: &Vault, place: &Place, version: KvVersion) -> Result<Reading, Failure> {
    match version {
        KvVersion::One => read_plain(vault, place).await,
        KvVersion::Two => read_versioned(vault, place).await,
    }
}

async fn read_plain(vault: &Vault, place: &Place) -> Result<Reading, Failure> {
    let endpoint = GetSecretRequest { mount: place.mount.clone(), path: place.path.clone() };
    let call = call(vault, place, endpoint, &place.shown())?;
    let answer = vault.ask(&call).await?;
    if answer.status == 404 {
        return not_found(vault, place, &call, &answer).map(|()| Reading::Absent);
    }
    let fields = answer.envelope::<BTreeMap<String, Field>>().and_then(|envelope| envelope.data);
    let fields = fields.ok_or_else(|| Failure::malformed(&call, &vault.client.address()))?;
    Ok(Reading::Values(Stored { secret: secret(fields, place), mark: None }))
}

async fn read_versioned(vault: &Vault, place: &Place) -> Result<Reading, Failure> {
    let endpoint = ReadSecretRequest { mount: place.mount.clone(), path: place.path.clone(), version: None };
    let call = call(vault, place, endpoint, &format!("{}/data/{}", place.mount, place.path))?;
    let answer = vault.ask(&call).await?;
    let found = answer.envelope::<Versioned>().and_then(|envelope| envelope.data);
    match found {
        Some(Versioned { data: Some(fields), metadata: Some(metadata) }) if answer.status != 404 => {
            let mark = metadata.mark();
            let secret = Secret { version: Some(mark.version), ..secret(fields, place) };
            Ok(Reading::Values(Stored { secret, mark: Some(mark) }))
        }
        Some(Versioned { data: None, metadata: Some(metadata) }) => Ok(Reading::Gone(metadata.mark())),
        None if answer.status == 404 => not_found(vault, place, &call, &answer).map(|()| Reading::Absent),
        _ => Err(Failure::malformed(&call, &vault.client.address())),
    }
}

/// What a versioned engine says of a secret without giving it; `None`: it knows of none.
pub(crate) async fn current(vault: &Vault, place: &Place) -> Result<Option<Current>, Failure> {
    let endpoint = ReadSecretMetadataRequest { mount: place.mount.clone(), path: place.path.clone() };
    let call = call(vault, place, endpoint, &format!("{}/metadata/{}", place.mount, place.path))?;
    // That it may not be read is foreseen, and no trouble.
    let answer = vault.try_to_ask(&call).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let found = answer.envelope::<Metadata>().and_then(|envelope| envelope.data);
    let found = found.ok_or_else(|| Failure::malformed(&call, &vault.client.address()))?;
    let life = found.versions.get(&found.current_version.to_string());
    // A time in the future is one at which it will be deleted.
    let is_gone = life.is_none_or(|life| life.destroyed || is_past(&life.deletion_time));
    Ok(Some(Current { version: found.current_version, is_gone }))
}

fn call<E: rustify::Endpoint>(
    vault: &Vault,
    place: &Place,
    endpoint: E,
    path: &str,
) -> Result<Call, Failure> {
    let call = vault.client.call(format!("read {}", place.shown()), endpoint);
    call.map(|call| call.needs("read", path)).map_err(|error| Failure { kind: Kind::Invalid, error })
}

/// A 404 that says more than that nothing is there is a failure.
fn not_found(vault: &Vault, place: &Place, call: &Call, answer: &Answer) -> Result<(), Failure> {
    // The page of something that is no Vault.
    let said = answer.envelope::<Json>().ok_or_else(|| Failure::malformed(call, &vault.client.address()))?;
    if said.errors.is_some_and(|errors| !errors.is_empty()) {
        let message = format!("cannot read {}: nothing is mounted at {:?}", place.shown(), place.mount);
        let error = SourceError::invalid(message).hint("bao secrets list shows what is mounted where");
        return Err(Failure { kind: Kind::Invalid, error });
    }
    // Which is how a versioned engine answers who takes it for a plain one.
    let is_versioned = |warning: &String| warning.to_lowercase().contains("versioned");
    let is_taken_for_plain = said.warnings.is_some_and(|warnings| warnings.iter().any(is_versioned));
    if is_taken_for_plain && place.version.is_some() {
        return Err(wrong_version(place, KvVersion::Two));
    }
    Ok(())
}

fn wrong_version(place: &Place, mounted: KvVersion) -> Failure {
    let version = if mounted == KvVersion::One { 1 } else { 2 };
    let message =
        format!("cannot read {}: the engine at {:?} is of version {version}", place.shown(), place.mount);
    let error =
        SourceError::invalid(message).hint(format!("version: {version}, or none to have Vault asked"));
    Failure { kind: Kind::Invalid, error }
}

impl VersionMetadata {
    fn mark(&self) -> Mark {
        Mark { version: self.version, created: moment(&self.created_time) }
    }
}

fn secret(fields: BTreeMap<String, Field>, place: &Place) -> Secret {
    Secret::new(values(fields, place.is_object))
}

fn is_past(deletion_time: &str) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    moment(deletion_time)
        .is_some_and(|(Timestamp(second), _)| u64::try_from(second).is_ok_and(|at| at <= now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(version: u64, created: &str) -> Mark {
        Mark { version, created: moment(created) }
    }

    #[test]
    fn a_lower_version_is_behind_unless_it_was_made_later() {
        let served = mark(5, "2026-01-01T00:00:05.5Z");
        assert!(mark(4, "2026-01-01T00:00:04Z").is_behind(&served));
        assert!(mark(4, "").is_behind(&served), "without a time the version decides");
        assert!(!mark(5, "2026-01-01T00:00:05.5Z").is_behind(&served));
        assert!(!mark(6, "2026-01-01T00:00:06Z").is_behind(&served));
        assert!(!mark(1, "2026-01-01T00:00:05.75Z").is_behind(&served), "it was erased and made anew");
    }
}
