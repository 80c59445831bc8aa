//! From the joined layers to parsed values.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;

use super::{Config, Problem, file};
use crate::logging::{LogFormat, parse_filter};

/// Parses every setting; each that is wrong goes to `problems` with its place.
pub(super) fn parse(figment: &Figment, problems: &mut Vec<Problem>) -> Option<Config> {
    let mut reader = Reader { figment, problems };
    let store = reader.required("store", |text| Ok(text.to_owned()));
    let xds = reader.required("xds", address);
    let admin = reader.required("admin", address);
    let hold_deletions = reader.required("holdDeletions", duration);
    let drain = reader.required("drain", duration);
    let resync = reader.required("resync", duration);
    let log = reader.required("log", |text| parse_filter(text).map(|_| text.to_owned()));
    let log_format = reader.required("logFormat", log_format);
    Some(Config {
        store: store?,
        xds: xds?,
        admin: admin?,
        state_dir: reader.path("stateDir"),
        snapshot_key_file: reader.path("snapshotKeyFile"),
        ready_file: reader.path("readyFile"),
        hold_deletions: hold_deletions?,
        drain: drain?,
        resync: resync?,
        log: log?,
        log_format: log_format?,
    })
}

/// A setting's text.
pub(super) fn text(figment: &Figment, name: &str) -> Option<String> {
    figment.find_value(name).ok()?.into_string()
}

/// Where a setting was written.
pub(super) fn origin(figment: &Figment, name: &str) -> Option<String> {
    let metadata = figment.find_metadata(name)?;
    Some(metadata.interpolate(figment.profile(), &[name]))
}

struct Reader<'a> {
    figment: &'a Figment,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn required<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = text(self.figment, name).unwrap_or_default();
        match parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problems.push(self.problem(name, why));
                None
            }
        }
    }

    /// A flag and a variable say which setting they are; a line of a file does not.
    fn problem(&self, name: &str, why: String) -> Problem {
        let place = origin(self.figment, name).unwrap_or_default();
        let in_file = self.figment.find_metadata(name).is_some_and(|layer| layer.name == file::LAYER);
        Problem::new(place, if in_file { format!("{name}: {why}") } else { why })
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        text(self.figment, name).filter(|text| !text.is_empty()).map(PathBuf::from)
    }
}

/// Whoever reaches these addresses gets the configuration, keys included, and there is no way yet to tell who it is.
fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("{text:?} is no IP address with a port, such as 127.0.0.1:9977"))?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "{text} is not on loopback, and in this version callers cannot prove who they are"
        ));
    }
    Ok(address)
}

fn duration(text: &str) -> Result<Duration, String> {
    text.parse().map(|biplane_core::scalars::Duration(duration)| duration).map_err(|error| error.to_string())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither \"human\" nor \"json\"")),
    }
}
