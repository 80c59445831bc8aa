//! `biplane watch [KIND]`: what is there, and then every change as it happens.
//!
//! ```text
//!  Resources::watch ─▶ Known: what was told ─▶ lines
//!         ▲ again, for ever, when it breaks off ┘
//! ```
//!
//! Invariant: what is printed is what changed. A watch that broke off begins with everything anew; of that
//! only what is not known yet is printed, and what is missing is printed as deleted.

mod known;

use std::time::Duration;

use biplane_admin_api::resources::{Filter, Problem, ProblemKind, ResourceEvent};
use clap::{Args, ValueEnum};
use futures::StreamExt as _;
use tokio::time::sleep;

use crate::config::GlobalFlags;
use crate::connect::{Connection, Target};
use crate::exit::{Code, Failure, Outcome};
use crate::objects::{self, KindWord};
use crate::output::{self, Reader};
use crate::verbs::get;
use known::Known;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "It begins with what is there, and ends only when it is stopped: \
                        when the control plane restarts or the store fails, it says so on stderr and goes on.")]
pub(crate) struct Arguments {
    /// The kind in any case, singular, plural or short. None: all kinds
    #[arg(value_name = "KIND", value_parser = KindWord)]
    kind: Option<String>,
    /// In this namespace only [default: in all]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// With these labels only: app=web,tier!=test,canary,!old
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A line an event: what happened, the object, its revision
    #[default]
    Table,
    /// An event a line, as the API tells it
    Json,
    /// The texts, each as it is after a change
    Yaml,
    /// KIND/NAMESPACE/NAME of what changed
    Name,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Table,
    Json,
    Yaml,
    Name,
}

impl Form {
    /// The form that `get` is asked for.
    pub(crate) const fn of(format: get::Format) -> Self {
        match format {
            get::Format::Table | get::Format::Wide => Self::Table,
            get::Format::Json => Self::Json,
            get::Format::Yaml => Self::Yaml,
            get::Format::Name => Self::Name,
        }
    }
}

/// Follows until it is stopped, or until nobody reads any more.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let kind = arguments.kind.as_deref().map(objects::kind).transpose()?;
    let selector = arguments.selector.as_deref().map(get::parse).transpose()?;
    let filter = Filter { kind, namespace: arguments.namespace.clone(), name: None, selector };
    let form = match arguments.output {
        Format::Table => Form::Table,
        Format::Json => Form::Json,
        Format::Yaml => Form::Yaml,
        Format::Name => Form::Name,
    };
    follow(&arguments.target.connect(global)?, &filter, form).await
}

/// The first pause before another attempt, and the longest.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Prints what is there and what becomes of it.
pub(crate) async fn follow(connection: &Connection, filter: &Filter, form: Form) -> Outcome {
    let mut known = Known::default();
    let mut pause = PAUSE;
    loop {
        let ended = match once(connection, filter, form, &mut known).await? {
            Ended::Unread => return Ok(Code::Success),
            Ended::Broken(problem) => problem,
        };
        // The first answer tells whether this can work at all; after that it is a matter of time.
        if !known.is_begun() || !passes(&ended) {
            return Err(connection.failure(ended));
        }
        if known.take_progress() {
            pause = PAUSE;
        }
        output::say(&format!("{ended}; trying again"));
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How one watch ended.
enum Ended {
    /// Nobody reads what is printed.
    Unread,
    /// It broke off.
    Broken(Problem),
}

async fn once(
    connection: &Connection,
    filter: &Filter,
    form: Form,
    known: &mut Known,
) -> Result<Ended, Failure> {
    let mut events = match connection.resources.watch(filter).await {
        Ok(events) => events,
        Err(problem) => return Ok(Ended::Broken(problem)),
    };
    known.begin();
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(problem) => return Ok(Ended::Broken(problem)),
        };
        for news in known.take(event) {
            if print(&news, form)? == Reader::Gone {
                return Ok(Ended::Unread);
            }
        }
    }
    Ok(Ended::Broken(Problem::new(ProblemKind::Unavailable, "the watch ended")))
}

/// Whether time alone may mend it.
fn passes(problem: &Problem) -> bool {
    matches!(problem.kind, ProblemKind::Unavailable | ProblemKind::Internal)
}

fn print(event: &ResourceEvent, form: Form) -> Result<Reader, Failure> {
    let text = match form {
        Form::Json => Some(output::json_line(event)?),
        Form::Table => line(event),
        Form::Yaml => match event {
            ResourceEvent::Put { resource } => Some(format!("---\n{}", get::document(resource)?)),
            _ => None,
        },
        Form::Name => match event {
            ResourceEvent::Put { resource } => Some(get::name(resource)),
            ResourceEvent::Deleted { kind, namespace, name, .. } => {
                Some(format!("{kind}/{namespace}/{name}"))
            }
            _ => None,
        },
    };
    text.map_or(Ok(Reader::There), |text| output::print_live(&text))
}

fn line(event: &ResourceEvent) -> Option<String> {
    match event {
        ResourceEvent::Put { resource } => {
            let key = output::one_line(&resource.key().to_string());
            Some(format!("put      {key}  revision {}", resource.revision))
        }
        ResourceEvent::Deleted { kind, namespace, name, revision } => {
            let key = output::one_line(&format!("{kind} {namespace}/{name}"));
            Some(format!("deleted  {key}  revision {revision}"))
        }
        ResourceEvent::Listed { .. } | ResourceEvent::Alive => None,
    }
}
