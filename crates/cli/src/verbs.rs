//! One file a verb. A verb reads its arguments, asks the crates below to do the work, and prints.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod envoy;
pub(crate) mod quickstart;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod translate;
pub(crate) mod validate;

use crate::command_line::{CommandLine, Verb};
use crate::config::GlobalFlags;
use crate::exit::{Code, Failure, Outcome};
use crate::logging::{self, LogFormat};
use crate::output;

/// Runs the verb that was asked for.
pub(crate) async fn run(command_line: &CommandLine) -> Outcome {
    let global = &command_line.global;
    match &command_line.verb {
        Verb::Serve(arguments) => serve::run(global, arguments).await,
        Verb::Validate(arguments) => {
            log_of_short_verb(global)?;
            validate::run(arguments).await
        }
        Verb::Translate(arguments) => {
            log_of_short_verb(global)?;
            translate::run(arguments).await
        }
        Verb::Envoy(verb) => envoy::run(verb),
        Verb::Status(arguments) => status::run(global, arguments).await,
        Verb::Quickstart(arguments) => quickstart::run(global, arguments).await,
        Verb::Schema(arguments) => schema::run(arguments),
        Verb::Config(verb) => config::run(global, verb),
        Verb::Completions(arguments) => completions::run(arguments),
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
