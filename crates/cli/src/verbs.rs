//! One file a verb. A verb reads its arguments, asks the crates below to do the work, and prints.

pub(crate) mod admin;
pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod edit;
pub(crate) mod envoy;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod pki;
pub(crate) mod quickstart;
pub(crate) mod reload;
pub(crate) mod rollback;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod translate;
pub(crate) mod validate;
pub(crate) mod watch;

use crate::command_line::{CommandLine, Verb};
use crate::config::GlobalFlags;
use crate::exit::{Code, Failure, Outcome};
use crate::logging::{self, LogFormat};
use crate::output;

/// Runs the verb that was asked for.
pub(crate) async fn run(command_line: &CommandLine) -> Outcome {
    let global = &command_line.global;
    match &command_line.verb {
        Verb::Serve(arguments) => return serve::run(global, arguments).await,
        Verb::Quickstart(arguments) => return quickstart::run(global, arguments).await,
        _ => log_of_short_verb(global)?,
    }
    match &command_line.verb {
        Verb::Serve(_) | Verb::Quickstart(_) => unreachable!("they keep a log of their own"),
        Verb::Init(arguments) => init::run(global, arguments).await,
        Verb::Get(arguments) => get::run(global, arguments).await,
        Verb::Describe(arguments) => describe::run(global, arguments).await,
        Verb::Apply(arguments) => apply::run(global, arguments).await,
        Verb::Diff(arguments) => diff::run(global, arguments).await,
        Verb::Edit(arguments) => edit::run(global, arguments).await,
        Verb::Delete(arguments) => delete::run(global, arguments).await,
        Verb::History(arguments) => history::run(global, arguments).await,
        Verb::Rollback(arguments) => rollback::run(global, arguments).await,
        Verb::Watch(arguments) => watch::run(global, arguments).await,
        Verb::Status(arguments) => status::run(global, arguments).await,
        Verb::Check(arguments) => check::run(global, arguments).await,
        Verb::Reload(arguments) => reload::run(global, arguments).await,
        Verb::Explain(arguments) => explain::run(global, arguments).await,
        Verb::Source(verb) => source::run(global, verb).await,
        Verb::Admin(verb) => admin::run(verb),
        Verb::Import(verb) => import::run(verb).await,
        Verb::Validate(arguments) => validate::run(arguments).await,
        Verb::Translate(arguments) => translate::run(arguments).await,
        Verb::Envoy(verb) => envoy::run(verb).await,
        Verb::Pki(verb) => pki::run(verb),
        Verb::Schema(arguments) => schema::run(arguments),
        Verb::Config(verb) => config::run(global, verb),
        Verb::Completions(arguments) => completions::run(arguments),
        Verb::Man(arguments) => man::run(arguments),
        Verb::Version => {
            output::print(concat!("biplane ", env!("CARGO_PKG_VERSION"))).map(|()| Code::Success)
        }
    }
}

/// Verbs that answer and end say what they have to say by themselves, so they log only what a person asks for.
fn log_of_short_verb(global: &GlobalFlags) -> Result<(), Failure> {
    let asked = global.log.clone().or_else(|| std::env::var("RUST_LOG").ok());
    let filter = asked.filter(|filter| !filter.is_empty()).unwrap_or_else(|| "off".to_owned());
    logging::to_stderr(logging::parse_filter(&filter).map_err(Failure::usage)?, LogFormat::Human);
    Ok(())
}
