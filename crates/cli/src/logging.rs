//! What the process says while it runs: to stderr or to a file, for people or as one JSON object a line.

use std::fs::File;
use std::io;
use std::path::Path;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload;
use tracing_subscriber::{EnvFilter, fmt};

use crate::exit::Failure;
use crate::output;

/// The forms of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line, for machines.
    Json,
}

/// Which events are logged, in the words of `RUST_LOG`.
pub(crate) fn parse_filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|error| {
        format!("{text:?} is no log filter such as `info` or `warn,biplane_xds=debug`: {error}")
    })
}

/// What is logged, to be changed while the process runs.
pub(crate) struct LogLevel(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl LogLevel {
    /// Logs this from here on.
    pub(crate) fn set(&self, text: &str) -> Result<(), String> {
        (self.0)(parse_filter(text)?).map_err(|error| format!("what is logged cannot be changed: {error}"))
    }
}

/// Logs to stderr from here on.
pub(crate) fn to_stderr(filter: EnvFilter, format: LogFormat) -> LogLevel {
    start(filter, format, io::stderr, output::coloured(&io::stderr()))
}

/// Logs to a file from here on, for commands whose stderr a person reads.
pub(crate) fn to_file(filter: EnvFilter, path: &Path) -> Result<(), Failure> {
    let file = File::create(path)
        .map_err(|error| Failure::failed(format!("cannot create the log {}: {error}", path.display())))?;
    start(filter, LogFormat::Human, file, false);
    Ok(())
}

fn start(
    filter: EnvFilter,
    format: LogFormat,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
    colours: bool,
) -> LogLevel {
    let builder = fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    // Only a second call in one process could fail to begin, and then the first one's log goes on.
    match format {
        LogFormat::Human => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            let _ = builder.try_init();
            LogLevel(Box::new(move |filter| handle.reload(filter)))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            let _ = builder.try_init();
            LogLevel(Box::new(move |filter| handle.reload(filter)))
        }
    }
}
