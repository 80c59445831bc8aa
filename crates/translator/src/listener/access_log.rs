//! Access logs.

use biplane_core::resources::gateway::ListenerOptions;
use biplane_core::resources::gateway::access_log::FileSink;
use envoy_types::pb::envoy::config::accesslog::v3::AccessLog;
use envoy_types::pb::envoy::config::accesslog::v3::access_log::ConfigType;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::config::core::v3::{DataSource, SubstitutionFormatString};
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::file_access_log::AccessLogFormat;

use crate::{encode, proto};

/// The logs of requests.
pub(super) fn of(options: Option<&ListenerOptions>) -> Vec<AccessLog> {
    let service = options.and_then(|options| options.access_logging_service.as_ref());
    let logs = service.map(|service| service.access_log.as_slice()).unwrap_or_default();
    logs.iter().filter_map(|log| log.file_sink.as_ref()).map(file).collect()
}

fn file(sink: &FileSink) -> AccessLog {
    let log = FileAccessLog {
        path: sink.path.clone(),
        access_log_format: format(sink).map(|format| {
            AccessLogFormat::LogFormat(SubstitutionFormatString {
                format: Some(format),
                ..SubstitutionFormatString::default()
            })
        }),
    };
    AccessLog {
        name: "envoy.access_loggers.file".into(),
        config_type: Some(ConfigType::TypedConfig(encode::any(&log))),
        ..AccessLog::default()
    }
}

fn format(sink: &FileSink) -> Option<Format> {
    if let Some(object) = &sink.json_format {
        return Some(Format::JsonFormat(proto::object(object)));
    }
    let line = sink.string_format.as_ref().filter(|line| !line.is_empty())?;
    // Envoy writes exactly what it is given; lines without an end would run into one.
    let line = if line.ends_with('\n') { line.clone() } else { format!("{line}\n") };
    let source = DataSource { specifier: Some(Specifier::InlineString(line)), ..DataSource::default() };
    Some(Format::TextFormatSource(source))
}
