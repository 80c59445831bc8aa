//! `biplane get services [SERVICE...]`: what sources of services know, and what is made of it.

use biplane_admin_api::status::ServiceStatus;

use super::endpoints::age;
use super::{Arguments, Format};
use crate::config::GlobalFlags;
use crate::connect::End;
use crate::exit::{Code, Failure, Outcome};
use crate::output;
use crate::standing;

/// Whether the word of a kind means services.
pub(super) fn is_word(word: &str) -> bool {
    ["services", "service", "svc"].contains(&word.to_ascii_lowercase().as_str())
}

/// Reads and prints.
pub(super) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    if arguments.watch || arguments.selector.is_some() {
        return Err(Failure::usage("services can neither be watched nor picked by labels"));
    }
    let connection = arguments.target.connect(global)?;
    let End::ControlPlane(client) = &connection.end else {
        return Err(Failure::usage("services are known to a running control plane only")
            .hint("leave --store out, and name its address with --api"));
    };
    let mut found = standing::services(client).await?;
    found.retain(|service| is_asked_for(service, arguments));
    if !arguments.names.is_empty() && found.is_empty() {
        return Err(Failure::new(Code::NotFound, "there is no such service").hint("biplane get services"));
    }
    match arguments.output {
        Format::Table | Format::Wide if found.is_empty() => output::say("no services"),
        Format::Table => output::print(&table(&found, false))?,
        Format::Wide => output::print(&table(&found, true))?,
        Format::Json => output::print(&output::json(&found)?)?,
        Format::Yaml | Format::Name => {
            return Err(Failure::usage("services are printed as table, wide or json"));
        }
    }
    Ok(Code::Success)
}

fn is_asked_for(service: &ServiceStatus, arguments: &Arguments) -> bool {
    let in_namespace = arguments.namespace.as_ref().is_none_or(|namespace| *namespace == service.namespace);
    let full = format!("{}/{}", service.namespace, service.name);
    let named = arguments.names.iter().any(|name| *name == service.name || *name == full);
    in_namespace && (arguments.names.is_empty() || named)
}

fn table(found: &[ServiceStatus], wide: bool) -> String {
    let mut header =
        vec!["SOURCE", "NAMESPACE", "SERVICE", "HEALTHY", "CANARIES", "HOSTS", "FINDINGS", "AGE", "STATE"];
    if wide {
        header.extend(["DATACENTER", "TAGS", "USED BY", "WHY"]);
    }
    output::table(&header, found.iter().map(|service| row(service, wide)))
}

fn row(service: &ServiceStatus, wide: bool) -> Vec<String> {
    let count = |count: u64| if count == 0 { String::new() } else { count.to_string() };
    let healthy =
        if service.watched { format!("{}/{}", service.healthy, service.instances) } else { String::new() };
    let state = match (&service.last_error, service.gone, service.watched) {
        (Some(_), ..) => "its source fails",
        (None, true, _) => "not listed any more",
        (None, false, true) => "watched",
        (None, false, false) => "no tags for here",
    };
    let mut row = vec![
        service.source.clone(),
        service.namespace.clone(),
        service.name.clone(),
        healthy,
        count(service.canaries),
        service.hosts.join(", "),
        count(service.findings),
        service.age_seconds.map(age).unwrap_or_default(),
        state.to_owned(),
    ];
    if wide {
        let why = service.last_error.clone().unwrap_or_default();
        row.extend([service.datacenter.clone(), service.tags.join(" "), service.users.join(", "), why]);
    }
    row
}
