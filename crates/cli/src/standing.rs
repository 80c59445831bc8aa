//! What is wrong with objects, wherever that is known: a control plane tells it, and of a store it is found
//! out here, by the same code that a control plane would run.

use std::collections::BTreeMap;

use biplane_admin_api::client::ClientError;
use biplane_admin_api::explain::{ExplainQuery, Explanation};
use biplane_admin_api::status::{
    EndpointsStatus, ObjectReport, ObjectState, SecretStatus, ServiceStatus, Severity, StatusRecord,
};
use biplane_admin_api::{Client, Status};
use biplane_control_plane::offline;
use biplane_core::key::ObjectKey;
use biplane_store::{Store, layout, records};

use crate::connect::{Connection, End};
use crate::exit::Failure;

/// The status of a control plane.
pub(crate) async fn status(client: &Client) -> Result<Status, Failure> {
    client.status().await.map_err(|error| refusal(&error))
}

/// The secrets of a control plane.
pub(crate) async fn secrets(client: &Client) -> Result<Vec<SecretStatus>, Failure> {
    client.secrets().await.map_err(|error| refusal(&error))
}

/// The endpoints of all upstreams.
pub(crate) async fn endpoints(client: &Client) -> Result<Vec<EndpointsStatus>, Failure> {
    client.endpoints().await.map_err(|error| refusal(&error))
}

/// The services that sources know.
pub(crate) async fn services(client: &Client) -> Result<Vec<ServiceStatus>, Failure> {
    client.services().await.map_err(|error| refusal(&error))
}

/// Which route answers a request.
pub(crate) async fn explain(client: &Client, query: &ExplainQuery) -> Result<Explanation, Failure> {
    client.explain(query).await.map_err(|error| refusal(&error))
}

fn refusal(error: &ClientError) -> Failure {
    match error {
        ClientError::Problem(problem) => Failure::from((**problem).clone()),
        ClientError::Unreachable { .. } => Failure::unreachable(error.to_string())
            .hint("start it with `biplane serve`, or name its address with --api"),
        _ => {
            Failure::unreachable(error.to_string()).hint("name the address of Biplane's HTTP API with --api")
        }
    }
}

/// Everything that decoding and translating what a store holds finds, sorted by place.
pub(crate) async fn of_store(store: &dyn Store) -> Result<(usize, Vec<ObjectReport>), Failure> {
    let loaded = offline::load(store).await.map_err(|error| Failure::of(&error))?;
    let translation = offline::translate(&loaded);
    let mut reports: Vec<_> = loaded.reports.iter().chain(&translation.reports).collect();
    reports.sort_by(|a, b| (&a.location, &a.path, a).cmp(&(&b.location, &b.path, b)));
    reports.dedup();
    Ok((loaded.objects.len(), reports.into_iter().map(ObjectReport::from).collect()))
}

/// How the objects fare that there is anything to say about, by their names as reports write them.
pub(crate) async fn states(connection: &Connection) -> Result<BTreeMap<String, ObjectState>, Failure> {
    let reports = match &connection.end {
        End::ControlPlane(client) => status(client).await?.reports,
        End::Store(store) => of_store(&**store).await?.1,
    };
    let mut states = BTreeMap::new();
    for ObjectReport { object, severity, .. } in reports {
        let state = match severity {
            Severity::Warning => ObjectState::Warning,
            Severity::Error => ObjectState::Rejected,
        };
        if let Some(object) = object
            && states.get(&object) != Some(&ObjectState::Rejected)
        {
            states.insert(object, state);
        }
    }
    Ok(states)
}

/// What the leader has written down about an object, if the store has room for it and there is anything.
pub(crate) async fn record(store: &dyn Store, key: &ObjectKey) -> Result<Option<StatusRecord>, Failure> {
    let path = format!("{}/{}", records::STATUS, layout::format_key(key));
    let Some(records) = store.records() else { return Ok(None) };
    let record = records.read(&path).await.map_err(|error| Failure::of(&error.into()))?;
    Ok(record.and_then(|record| serde_json::from_slice(&record.value).ok()))
}
