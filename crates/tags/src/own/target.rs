//! Where requests of a route go.

use serde_json::{Map, json};

use super::draft::{Draft, Written};
use super::matching::Fault;
use super::scalar;
use crate::reader::Deployment;
use crate::router::{Endpoints, Scheme, Target};
use crate::service::ServiceId;

/// The instances of the deployment that the tags are of.
pub(super) fn read<'a>(
    id: &ServiceId,
    draft: &'a Draft<'_>,
    deployment: &Deployment,
) -> Result<Target, Fault<'a>> {
    let port = match draft.get("port") {
        None => None,
        Some(written) => Some(port(written).map_err(|why| (why, Some(written)))?),
    };
    let scheme = match draft.get("scheme") {
        None => Scheme::Http,
        Some(written) => scheme(written).map_err(|why| (why, Some(written)))?,
    };
    let mut upstream = Map::new();
    if draft.get("sticky").is_some() {
        upstream.insert("loadBalancerConfig".to_owned(), json!({ "ringHash": {} }));
    }
    let endpoints = Endpoints::Service { service: id.clone(), pick: deployment.pick.clone(), port };
    Ok(Target { endpoints, scheme, upstream, weight: 1 })
}

fn port(written: &Written) -> Result<u16, String> {
    let port: u16 = scalar::whole(&written.value)?;
    if port == 0 { Err("0 is no port to connect to".to_owned()) } else { Ok(port) }
}

fn scheme(written: &Written) -> Result<Scheme, String> {
    match written.value.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        "h2c" | "grpc" => Ok(Scheme::H2c),
        "h2" | "grpcs" => Ok(Scheme::H2),
        _ => Err(format!("{:?} is none of http, https, h2c, grpc, h2 and grpcs", written.value)),
    }
}
