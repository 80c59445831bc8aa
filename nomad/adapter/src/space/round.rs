//! A look at the whole place: the services that there are, whether the token may read them, whether it is still the same
//! servers that answer. It goes before everything else, so that a place that cannot be read costs one question a try.

use std::collections::BTreeSet;

use crate::api::Api;
use crate::client::Failure;
use crate::space::ServiceList;

/// A place at one moment.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) services: ServiceList,
    /// When any registration last changed.
    pub(super) index: u64,
    /// What was asked besides, if it was.
    pub(super) audit: Option<Audit>,
}

/// What is asked when everything is looked at.
#[derive(Clone, Debug)]
pub(super) struct Audit {
    /// When any allocation last changed.
    pub(super) allocations_index: u64,
    /// The keys that the servers sign with, if they tell.
    pub(super) keys: Option<BTreeSet<String>>,
}

/// The services alone.
pub(super) async fn glance(api: &Api) -> Result<Round, Failure> {
    let (services, index) = api.services().await?;
    Ok(Round { services, index, audit: None })
}

/// Everything. An empty list counts only where the namespace is there and the token may read its jobs: a namespace that
/// is not there has none, and a task's identity is shown services without that right.
pub(super) async fn look(api: &Api) -> Result<Round, Failure> {
    // The list last: what changes meanwhile is in it.
    let (allocations_index, keys, ()) =
        futures::try_join!(api.allocations_changed(), api.keys(), api.namespace())?;
    let (services, index) = api.services().await?;
    Ok(Round { services, index, audit: Some(Audit { allocations_index, keys }) })
}
