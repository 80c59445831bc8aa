//! `biplane describe KIND NAME`: all that is known of one resource, for a person who wonders about it.

use std::fmt::Write as _;

use biplane_admin_api::resources::{Resource, Version};
use biplane_admin_api::status::{ObjectReport, Severity, Status};
use clap::Args;

use crate::config::GlobalFlags;
use crate::connect::{Connection, End, Target};
use crate::exit::{Code, Failure, Outcome};
use crate::findings::lines;
use crate::objects::OneObject;
use crate::output::{self, one_line};
use crate::standing;
use crate::verbs::{get, history};

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    object: OneObject,
    #[command(flatten)]
    target: Target,
}

/// The most versions that are shown; `biplane history` has them all.
const VERSIONS: usize = 5;

/// Reads and prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let connection = arguments.target.connect(global)?;
    let resource = arguments.object.existing(&connection).await?;
    let standing = Standing::of(&connection, &resource).await?;
    let versions = connection.resources.history(&resource.key()).await;
    let versions = versions.map_err(|problem| connection.failure(problem));
    let versions = or_say("its versions", versions).unwrap_or_default();
    output::print(&text(&resource, &standing, &versions)?)?;
    Ok(Code::Success)
}

/// What is known besides the object itself may be kept from whoever asks; that is said, and no more.
fn or_say<T>(what: &str, read: Result<T, Failure>) -> Option<T> {
    read.inspect_err(|failure| output::say(&format!("{what} cannot be shown: {failure}"))).ok()
}

/// How an object fares.
#[derive(Debug, Default)]
struct Standing {
    reports: Vec<ObjectReport>,
    /// Further remarks, a line each.
    remarks: Vec<String>,
}

impl Standing {
    async fn of(connection: &Connection, resource: &Resource) -> Result<Self, Failure> {
        let key = resource.key();
        match &connection.end {
            End::ControlPlane(client) => {
                Ok(Self::in_status(&standing::status(client).await?, &key.to_string()))
            }
            End::Store(store) => {
                let (_, mut reports) = standing::of_store(&**store).await?;
                reports.retain(|report| report.object.as_deref() == Some(&key.to_string()));
                let record = or_say("what the leader says of it", standing::record(&**store, &key).await);
                let remark = |record: biplane_admin_api::status::StatusRecord| {
                    format!("{} by {} at {}", record.state.as_str(), record.by, record.at)
                };
                Ok(Self { reports, remarks: record.flatten().map(remark).into_iter().collect() })
            }
        }
    }

    fn in_status(status: &Status, object: &str) -> Self {
        let about = |report: &&ObjectReport| report.object.as_deref() == Some(object);
        let held = status.held.iter().filter(|held| held.object == object).map(|held| {
            format!("deleted, and in use until {} by {}", held.until, held.referenced_by.join(", "))
        });
        let refused = status.nodes.iter().flat_map(|node| {
            let of_it = node.rejected.iter().filter(|rejected| rejected.origins.iter().any(|o| o == object));
            of_it
                .map(|rejected| format!("node {} refused {}: {}", node.id, rejected.resource, rejected.error))
        });
        Self {
            reports: status.reports.iter().filter(about).cloned().collect(),
            remarks: held.chain(refused).collect(),
        }
    }

    fn word(&self) -> &'static str {
        let severities = self.reports.iter().map(|report| report.severity);
        match severities.max() {
            None => "accepted",
            Some(Severity::Warning) => "accepted, with warnings",
            Some(Severity::Error) => "refused, in whole or in part",
        }
    }
}

fn text(resource: &Resource, standing: &Standing, versions: &[Version]) -> Result<String, Failure> {
    let mut text = String::new();
    let labels: Vec<_> = resource.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let fields = [
        ("Kind", resource.kind.to_string()),
        ("Namespace", resource.namespace.clone()),
        ("Name", resource.name.clone()),
        ("Labels", labels.join(",")),
        ("Revision", resource.revision.to_string()),
        ("Kept at", resource.location.clone()),
        ("State", standing.word().to_owned()),
    ];
    for (name, value) in fields {
        let value = if value.is_empty() { "-".to_owned() } else { one_line(&value) };
        let _ = writeln!(text, "{:<11}{value}", format!("{name}:"));
    }
    for remark in &standing.remarks {
        let _ = writeln!(text, "{:<11}{}", "", one_line(remark));
    }
    section(&mut text, "Findings", &lines(&standing.reports));
    if !versions.is_empty() {
        let shown = &versions[..versions.len().min(VERSIONS)];
        section(&mut text, "Versions", &history::table(shown));
    }
    section(&mut text, "Text", &get::document(resource)?);
    Ok(text)
}

fn section(text: &mut String, title: &str, body: &str) {
    if body.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}:");
    for line in body.lines() {
        let _ = writeln!(text, "{}", format!("  {line}").trim_end());
    }
}
