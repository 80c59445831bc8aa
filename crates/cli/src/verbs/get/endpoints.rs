//! `biplane get endpoints [UPSTREAM...]`: where requests go. Only a running control plane knows that.

use biplane_admin_api::status::{EndpointStatus, EndpointsState, EndpointsStatus};

use super::{Arguments, Format};
use crate::config::GlobalFlags;
use crate::connect::End;
use crate::exit::{Code, Failure, Outcome};
use crate::output;
use crate::standing;

/// Whether the word of a kind means endpoints.
pub(super) fn is_word(word: &str) -> bool {
    ["endpoints", "endpoint", "ep"].contains(&word.to_ascii_lowercase().as_str())
}

/// Reads and prints.
pub(super) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    if arguments.watch || arguments.selector.is_some() {
        return Err(Failure::usage("endpoints can neither be watched nor picked by labels"));
    }
    let connection = arguments.target.connect(global)?;
    let End::ControlPlane(client) = &connection.end else {
        return Err(Failure::usage("endpoints are known to a running control plane only")
            .hint("leave --store out, and name its address with --api"));
    };
    let mut found = standing::endpoints(client).await?;
    found.retain(|upstream| is_asked_for(upstream, arguments));
    if !arguments.names.is_empty() && found.is_empty() {
        return Err(Failure::new(Code::NotFound, "there is no such upstream").hint("biplane get upstreams"));
    }
    match arguments.output {
        Format::Table | Format::Wide if found.is_empty() => output::say("no upstreams"),
        Format::Table => output::print(&table(&found, false))?,
        Format::Wide => output::print(&table(&found, true))?,
        Format::Json => output::print(&output::json(&found)?)?,
        Format::Yaml | Format::Name => {
            return Err(Failure::usage("endpoints are printed as table, wide or json"));
        }
    }
    Ok(Code::Success)
}

fn is_asked_for(upstream: &EndpointsStatus, arguments: &Arguments) -> bool {
    let in_namespace = arguments.namespace.as_ref().is_none_or(|namespace| *namespace == upstream.namespace);
    let full = format!("{}/{}", upstream.namespace, upstream.name);
    let named = arguments.names.iter().any(|name| *name == upstream.name || *name == full);
    in_namespace && (arguments.names.is_empty() || named)
}

/// A line an endpoint, and one for each upstream that has none.
fn table(found: &[EndpointsStatus], wide: bool) -> String {
    let mut header = vec!["UPSTREAM", "ADDRESS", "HEALTH", "SOURCE", "AGE", "STATE", "USED BY"];
    if wide {
        header.extend(["ID", "ZONE", "WEIGHT", "METADATA", "ASKED FOR", "WHY"]);
    }
    let rows = found.iter().flat_map(|upstream| {
        let none = upstream.endpoints.is_empty().then_some(None);
        let endpoints = upstream.endpoints.iter().map(Some).chain(none);
        endpoints.map(move |endpoint| row(upstream, endpoint, wide))
    });
    output::table(&header, rows)
}

/// The endpoints of one upstream, for those who know which.
pub(crate) fn endpoint_table(upstream: &EndpointsStatus) -> String {
    let rows = upstream.endpoints.iter().map(|endpoint| {
        vec![
            endpoint.address.clone(),
            endpoint.health.clone(),
            endpoint.id.clone().unwrap_or_default(),
            source(upstream),
            age_of(upstream),
            upstream.state.as_str().to_owned(),
        ]
    });
    output::table(&["ADDRESS", "HEALTH", "ID", "SOURCE", "AGE", "STATE"], rows)
}

fn source(upstream: &EndpointsStatus) -> String {
    upstream.source.clone().unwrap_or_else(|| "the object".to_owned())
}

fn row(upstream: &EndpointsStatus, endpoint: Option<&EndpointStatus>, wide: bool) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut row = vec![
        format!("{}/{}", upstream.namespace, upstream.name),
        endpoint.map_or_else(|| "none".to_owned(), |endpoint| endpoint.address.clone()),
        endpoint.map(|endpoint| endpoint.health.clone()).unwrap_or_default(),
        source(upstream),
        age_of(upstream),
        upstream.state.as_str().to_owned(),
        upstream.users.join(", "),
    ];
    if wide {
        row.extend([
            endpoint.map(|endpoint| text(&endpoint.id)).unwrap_or_default(),
            endpoint.map(zone).unwrap_or_default(),
            endpoint.map(|endpoint| endpoint.weight.to_string()).unwrap_or_default(),
            endpoint.map(metadata).unwrap_or_default(),
            text(&upstream.query),
            text(&upstream.last_error),
        ]);
    }
    row
}

fn age_of(upstream: &EndpointsStatus) -> String {
    match (upstream.state, upstream.age_seconds) {
        (EndpointsState::Static, _) | (_, None) => String::new(),
        (_, Some(seconds)) => age(seconds),
    }
}

/// How long ago something was right, in few letters.
pub(super) fn age(seconds: u64) -> String {
    if seconds == 0 { "now".to_owned() } else { format!("{seconds}s") }
}

fn zone(endpoint: &EndpointStatus) -> String {
    let parts = endpoint.region.iter().chain(&endpoint.zone).map(String::as_str);
    parts.collect::<Vec<_>>().join("/")
}

fn metadata(endpoint: &EndpointStatus) -> String {
    let pairs = endpoint.metadata.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}
