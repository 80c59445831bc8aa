//! Reading: the marks, the listing that all keys make, and single keys.

use std::collections::BTreeMap;

use biplane_core::key::ObjectKey;
use biplane_store::manifest::Manifest;
use biplane_store::{Fault, Identity, Listing, Revision, StoreError, StoredObject};
use etcd_client::{Error, GetOptions, GetResponse, Txn, TxnOp, TxnOpResponse};

use crate::error::{is_compacted, is_future};
use crate::members::Link;
use crate::pages::folder;
use crate::place::{Entry, Place};
use crate::raw::{Raw, signed, unsigned};
use crate::store::Core;

/// How often a listing is begun anew because its revision was compacted meanwhile.
const ATTEMPTS: usize = 2;

/// What the marks say, read strongly in one step.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    /// The revision that etcd is at.
    pub(crate) revision: u64,
    /// The cluster that said so.
    pub(crate) cluster: u64,
    pub(crate) sentinel: Option<Raw>,
    pub(crate) manifest: Option<Raw>,
}

/// What a reader knows who has read everything at a revision: where a watch begins.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) revision: u64,
    pub(crate) cluster: u64,
    pub(crate) identity: Identity,
    /// By key.
    pub(crate) faults: BTreeMap<Vec<u8>, Fault>,
    /// The batch that was being written then and is still waited for, with its manifest's key-value.
    pub(crate) open: Option<(Manifest, Raw)>,
}

/// Everything, at one revision.
pub(crate) async fn list(core: &Core) -> Result<Listing, StoreError> {
    for _ in 0..ATTEMPTS {
        let marks = marks(core, None).await?.expect("the present is not compacted");
        let identity = core.place.identity(marks.sentinel.as_ref())?;
        let revision = shown(core, &marks);
        let Some(keys) = folder(core, &core.place.config, revision).await? else { continue };
        let (items, mut faults) = sort(&core.place, &keys);
        // What is read from before a batch does not show that batch.
        let open = batch(core, &marks).filter(|_| revision == marks.revision);
        if let Some((manifest, raw, _)) = open {
            faults.insert(raw.key.clone(), manifest.unfinished(core.place.location(raw)));
        }
        let base = Base { revision, cluster: marks.cluster, identity, faults, open: None };
        let listing = Listing {
            identity: base.identity.clone(),
            revision: Revision(revision),
            items,
            faults: by_location(&base.faults),
        };
        core.remember(base);
        return Ok(listing);
    }
    Err(forgotten(core))
}

/// What a reader who listed at `revision` would know; `None`: etcd does not know that revision.
pub(crate) async fn base(core: &Core, revision: u64) -> Result<Option<Base>, StoreError> {
    let Some(marks) = marks(core, Some(revision)).await? else { return Ok(None) };
    let identity = core.place.identity(marks.sentinel.as_ref())?;
    let Some(keys) = folder(core, &core.place.config, revision).await? else { return Ok(None) };
    let (_, mut faults) = sort(&core.place, &keys);
    let mut open = None;
    match batch(core, &marks) {
        Some((manifest, raw, true)) => open = Some((manifest, raw.clone())),
        Some((manifest, raw, false)) => {
            drop(faults.insert(raw.key.clone(), manifest.unfinished(core.place.location(raw))));
        }
        None => {}
    }
    Ok(Some(Base { revision, cluster: marks.cluster, identity, faults, open }))
}

/// The marks, now or at a revision; `None`: etcd does not know that revision.
pub(crate) async fn marks(core: &Core, revision: Option<u64>) -> Result<Option<Marks>, StoreError> {
    let options = revision.map(|revision| GetOptions::new().with_revision(signed(revision)));
    let [sentinel, manifest] = [&core.place.sentinel, &core.place.manifest];
    let gets = [sentinel, manifest].map(|key| TxnOp::get(key.as_str(), options.clone()));
    let txn = Txn::new().and_then(gets);
    let read = |link: Link| unless_forgotten(link.txn(txn.clone()));
    let answer = core.members.read("read the store", read).await?;
    Ok(answer.map(|mut answer| {
        let header = answer.take_header();
        let mut found = answer.op_responses().into_iter().map(first);
        Marks {
            revision: header.as_ref().map_or(0, |header| unsigned(header.revision())),
            cluster: header.as_ref().map_or(0, etcd_client::ResponseHeader::cluster_id),
            sentinel: found.next().flatten(),
            manifest: found.next().flatten(),
        }
    }))
}

/// The revision that etcd is at, read strongly, of a store that is marked.
pub(crate) async fn head(core: &Core) -> Result<u64, StoreError> {
    let key = core.place.sentinel.as_bytes();
    let get = |link: Link| link.get(key.to_vec(), GetOptions::new().with_count_only());
    let answer = core.members.read("read the revision", get).await?;
    if answer.count() == 0 {
        return Err(core.place.unmarked());
    }
    Ok(revision_of(&answer))
}

/// One object as a listing has it.
pub(crate) async fn get(core: &Core, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
    for _ in 0..ATTEMPTS {
        let marks = marks(core, None).await?.expect("the present is not compacted");
        core.place.identity(marks.sentinel.as_ref())?;
        let options = GetOptions::new().with_revision(signed(shown(core, &marks)));
        let name = core.place.object(key);
        let read = |link: Link| unless_forgotten(link.get(name.clone().into(), options.clone()));
        let Some(mut answer) = core.members.read("read an object", read).await? else { continue };
        let found = answer.take_kvs().pop().map(Raw::from);
        return match found.map(|raw| core.place.entry(&raw)) {
            Some(Entry::Object(object)) => Ok(Some(object)),
            Some(Entry::Broken(fault)) => Err(StoreError::invalid(fault.to_string())),
            Some(Entry::Nothing) | None => Ok(None),
        };
    }
    Err(forgotten(core))
}

/// A key's present state, and the revision of that answer.
pub(crate) async fn one(core: &Core, what: &str, key: &str) -> Result<(Option<Raw>, u64), StoreError> {
    let get = |link: Link| link.get(key.into(), GetOptions::new());
    let mut answer = core.members.read(what, get).await?;
    let revision = revision_of(&answer);
    Ok((answer.take_kvs().pop().map(Raw::from), revision))
}

/// The first key that a part of a transaction found.
pub(crate) fn first(answer: TxnOpResponse) -> Option<Raw> {
    let TxnOpResponse::Get(mut found) = answer else { return None };
    found.take_kvs().pop().map(Raw::from)
}

/// The faults in the order in which they are told.
pub(crate) fn by_location(faults: &BTreeMap<Vec<u8>, Fault>) -> Vec<Fault> {
    let mut faults: Vec<_> = faults.values().cloned().collect();
    faults.sort_by(|a, b| a.location.cmp(&b.location));
    faults
}

/// The revision that readers are shown: the present or, while a batch is waited for, what was before it.
fn shown(core: &Core, marks: &Marks) -> u64 {
    match batch(core, marks) {
        Some((_, raw, true)) => raw.revision - 1,
        _ => marks.revision,
    }
}

/// The batch that the manifest shows open, and whether it is still waited for.
fn batch<'a>(core: &Core, marks: &'a Marks) -> Option<(Manifest, &'a Raw, bool)> {
    let raw = marks.manifest.as_ref()?;
    let manifest = open_manifest(raw)?;
    let is_waited_for = !core.patience.left(&manifest).is_zero();
    Some((manifest, raw, is_waited_for))
}

fn forgotten(core: &Core) -> StoreError {
    let name = &core.place.name;
    StoreError::unavailable(format!("cannot read {name}: etcd forgot each revision while it was read"))
        .with_hint("compact less often: readers need the history of a few seconds")
}

/// The batch that a manifest says is being written.
pub(crate) fn open_manifest(raw: &Raw) -> Option<Manifest> {
    Manifest::decode(&raw.value).filter(|manifest| manifest.open)
}

fn sort(place: &Place, keys: &[Raw]) -> (Vec<StoredObject>, BTreeMap<Vec<u8>, Fault>) {
    let (mut items, mut faults) = (Vec::with_capacity(keys.len()), BTreeMap::new());
    for raw in keys {
        match place.entry(raw) {
            Entry::Object(object) => items.push(object),
            Entry::Broken(fault) => drop(faults.insert(raw.key.clone(), fault)),
            Entry::Nothing => {}
        }
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    (items, faults)
}

fn revision_of(answer: &GetResponse) -> u64 {
    answer.header().map_or(0, |header| unsigned(header.revision()))
}

/// A revision that etcd does not know is an answer.
pub(crate) async fn unless_forgotten<T>(
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<Option<T>, Error> {
    match answer.await {
        Err(error) if is_compacted(&error) || is_future(&error) => Ok(None),
        answer => answer.map(Some),
    }
}
