//! `biplane get [KIND [NAME...]]`: what a store holds.

mod columns;
mod endpoints;
mod secrets;
mod services;
mod text;

use biplane_admin_api::resources::{Filter, Resource, ResourceList, Selector};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::config::GlobalFlags;
use crate::connect::{Connection, End, Target};
use crate::exit::{Code, Failure, Outcome};
use crate::objects::{self, KindWord, Named};
use crate::output;
use crate::standing;
use crate::verbs::watch;
use columns::States;

pub(crate) use endpoints::endpoint_table;
pub(crate) use text::document;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  biplane get                           everything
  biplane get vs -n default             the virtual services of a namespace
  biplane get upstreams -l app=web,!old those with these labels
  biplane get vs petstore -o yaml       one, as it was written
  biplane get us -o name | xargs biplane delete
  biplane get endpoints [UPSTREAM]      where requests go: each endpoint, its health, who found it
  biplane get services [SERVICE]        what sources of services know, and the hosts that tags made")]
pub(crate) struct Arguments {
    /// The kind in any case, singular, plural or short; or KIND/NAME, KIND/NAMESPACE/NAME. None: all kinds
    #[arg(value_name = "KIND", value_parser = KindWord)]
    kind: Option<String>,
    /// These objects only: NAME or NAMESPACE/NAME
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// In this namespace only [default: in all]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// In all namespaces, which is the default
    #[arg(short = 'A', long, hide = true, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// With these labels only: app=web,tier!=test,canary,!old
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Go on with what changes; -o json prints an event a line
    #[arg(short, long, conflicts_with = "names")]
    watch: bool,
    #[command(flatten)]
    target: Target,
}

/// How resources are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line each
    #[default]
    Table,
    /// The same with state, revision, labels and place
    Wide,
    /// Their texts as they were written, ready for `apply`
    Yaml,
    /// What the API answers
    Json,
    /// KIND/NAMESPACE/NAME, ready for other verbs
    Name,
}

/// Reads and prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    if arguments.kind.as_deref().is_some_and(endpoints::is_word) {
        return endpoints::run(global, arguments).await;
    }
    if arguments.kind.as_deref().is_some_and(services::is_word) {
        return services::run(global, arguments).await;
    }
    let selection = arguments.selection()?;
    let connection = arguments.target.connect(global)?;
    if arguments.watch {
        let form = watch::Form::of(arguments.output);
        return watch::follow(&connection, &selection.filter, form).await;
    }
    let list = selection.read(&connection).await?;
    if let (End::ControlPlane(client), true) = (&connection.end, secrets::are_asked_for(&selection))
        && matches!(arguments.output, Format::Table | Format::Wide)
    {
        let found = secrets::of(client, &selection, &list.items).await?;
        if found.is_empty() {
            output::say("no such resources");
        } else {
            output::print(&secrets::table(&found, arguments.output == Format::Wide))?;
        }
        return Ok(Code::Success);
    }
    match arguments.output {
        Format::Table => print_table(&list, &selection, None)?,
        Format::Wide => print_table(&list, &selection, Some(&standing::states(&connection).await?))?,
        Format::Json if selection.is_one() => output::print(&output::json(&list.items[0])?)?,
        Format::Json => print_json(&list)?,
        Format::Yaml => print_yaml(&list)?,
        Format::Name => output::print_each(list.items.iter().map(|item| Ok(name(item))))?,
    }
    if list.items.is_empty() {
        output::say("no such resources");
    }
    Ok(Code::Success)
}

/// What is asked for.
struct Selection {
    filter: Filter,
    named: Vec<Named>,
}

impl Arguments {
    fn selection(&self) -> Result<Selection, Failure> {
        let words: Vec<_> = self.kind.iter().chain(&self.names).cloned().collect();
        let named = objects::named(&words, self.namespace.as_deref())?;
        let kind = match (&self.kind, named.first()) {
            (_, Some(named)) => Some(named.kind),
            (Some(word), None) => Some(objects::kind(word)?),
            (None, None) => None,
        };
        let selector = self.selector.as_deref().map(parse).transpose()?;
        let filter = Filter { kind, namespace: self.namespace.clone(), name: None, selector };
        Ok(Selection { filter, named })
    }
}

/// The labels that are asked for.
pub(crate) fn parse(selector: &str) -> Result<Selector, Failure> {
    selector.parse().map_err(|error| Failure::usage(format!("--selector: {error}")))
}

impl Selection {
    fn is_one(&self) -> bool {
        self.named.len() == 1
    }

    async fn read(&self, connection: &Connection) -> Result<ResourceList, Failure> {
        if self.named.is_empty() {
            return connection
                .resources
                .list(&self.filter)
                .await
                .map_err(|problem| connection.failure(problem));
        }
        let mut list = ResourceList::default();
        for found in objects::find(connection, &self.named).await? {
            let found = found?;
            list.revision = list.revision.max(found.revision);
            list.items.push(found);
        }
        Ok(list)
    }
}

fn print_table(list: &ResourceList, selection: &Selection, states: Option<&States>) -> Result<(), Failure> {
    if list.items.is_empty() {
        return Ok(());
    }
    let kind = selection.filter.kind;
    let of_one_kind = list.items.iter().all(|item| Some(item.kind) == kind);
    output::print(&columns::table(&list.items, kind.filter(|_| of_one_kind), states))
}

/// Documents with marks between them, and nothing that they did not have.
fn print_yaml(list: &ResourceList) -> Result<(), Failure> {
    output::print_each(list.items.iter().enumerate().map(|(index, item)| {
        let mark = if index == 0 { "" } else { "---\n" };
        Ok(format!("{mark}{}", document(item)?))
    }))
}

/// A list may be long: it is written item by item, in the form that the API has.
fn print_json(list: &ResourceList) -> Result<(), Failure> {
    let revision = json!(list.revision);
    if list.items.is_empty() {
        return output::print(&format!("{{\n  \"revision\": {revision},\n  \"items\": []\n}}"));
    }
    let count = list.items.len();
    let items = list.items.iter().enumerate().map(|(index, item)| {
        let comma = if index + 1 == count { "" } else { "," };
        Ok(format!("{}{comma}", output::json(item)?))
    });
    let head = std::iter::once(Ok(format!("{{\n\"revision\": {revision},\n\"items\": [")));
    output::print_each(head.chain(items).chain(std::iter::once(Ok("]\n}".to_owned()))))
}

/// `KIND/NAMESPACE/NAME`
pub(crate) fn name(resource: &Resource) -> String {
    format!("{}/{}/{}", resource.kind, resource.namespace, resource.name)
}
