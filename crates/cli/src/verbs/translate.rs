//! `biplane translate DIR`: the Envoy configuration that would be served, by fleet and type.
//!
//! It is for eyes and for diffs, so private keys are not in it; what is printed is otherwise what Envoy gets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use biplane_control_plane::offline;
use biplane_translator::json::{Sensitive, canonical};
use biplane_translator::{EnvoyResource, EnvoyType};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::backends;
use crate::exit::{Failure, Outcome};
use crate::findings::Findings;
use crate::output;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A directory of resources, or one file
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
    /// Only this fleet
    #[arg(long, value_name = "NAME")]
    fleet: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

/// The types in the order of a request's way through Envoy.
const TYPES: [(EnvoyType, &str); 5] = [
    (EnvoyType::Listener, "listeners"),
    (EnvoyType::Route, "routes"),
    (EnvoyType::Cluster, "clusters"),
    (EnvoyType::Endpoint, "endpoints"),
    (EnvoyType::Secret, "secrets"),
];

/// Translates and prints. What is wrong goes to stderr, and makes the exit code 1.
pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let store = backends::open_files(&arguments.path)?;
    let loaded = offline::load(&store).await.map_err(|error| Failure::of(&error))?;
    let translation = offline::translate(&loaded);
    let fleets = select(translation.fleets, arguments.fleet.as_deref())?;
    let tree = tree(&fleets)?;
    output::print(&match arguments.output {
        Format::Yaml => output::yaml(&tree)?,
        Format::Json => output::json(&tree)?,
    })?;
    let good: Vec<_> = loaded.objects.iter().map(|(object, _)| object.key.clone()).collect();
    let reports = loaded.reports.into_iter().chain(translation.reports).collect();
    let findings = Findings::new(&arguments.path, &good, reports);
    say(&findings);
    Ok(findings.code(false))
}

fn tree(fleets: &Fleets) -> Result<Value, Failure> {
    let fleets: Result<Map<_, _>, Failure> =
        fleets.iter().map(|(name, resources)| Ok((name.clone(), fleet(resources)?))).collect();
    Ok(json!({ "fleets": fleets? }))
}

fn say(findings: &Findings) {
    let text = findings.text();
    if !text.is_empty() {
        output::say(&text);
    }
    output::say(&findings.summary());
}

type Fleets = BTreeMap<String, Vec<EnvoyResource>>;

fn select(mut fleets: Fleets, only: Option<&str>) -> Result<Fleets, Failure> {
    let Some(only) = only else { return Ok(fleets) };
    if let Some(fleet) = fleets.remove_entry(only) {
        return Ok(BTreeMap::from([fleet]));
    }
    let names: Vec<_> = fleets.into_keys().collect();
    let failure = Failure::usage(format!("no gateway makes a fleet {only:?}"));
    Err(if names.is_empty() { failure } else { failure.hint(format!("the fleets are {}", names.join(", "))) })
}

fn fleet(resources: &[EnvoyResource]) -> Result<Value, Failure> {
    let mut fleet: Map<String, Value> =
        TYPES.into_iter().map(|(_, name)| (name.to_owned(), Value::Array(Vec::new()))).collect();
    for resource in resources {
        let (_, name) =
            TYPES.iter().find(|(kind, _)| *kind == resource.name.kind).expect("TYPES has every type");
        if let Some(Value::Array(values)) = fleet.get_mut(*name) {
            values.push(shown(resource)?);
        }
    }
    Ok(Value::Object(fleet))
}

fn shown(resource: &EnvoyResource) -> Result<Value, Failure> {
    canonical(resource, Sensitive::Redacted)
        .map_err(|error| Failure::failed(format!("cannot print {}: {error}", resource.name)))
}
