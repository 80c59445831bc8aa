//! Gateways: the address, the HTTP listener, its connection manager, its access logs.

use std::net::IpAddr;

use serde_json::Value;

use super::{Validator, action, headers, options};
use crate::path::Trail;
use crate::resources::Gateway;
use crate::resources::gateway::HttpGateway;
use crate::resources::gateway::access_log::{AccessLoggingService, FileSink};
use crate::resources::gateway::http_connection_manager::HttpConnectionManagerSettings;

pub(super) fn gateway(v: &mut Validator<'_, '_>, gateway: &Gateway, at: &Trail<'_>) {
    if gateway.address().parse::<IpAddr>().is_err() {
        let hint = "write an IP address, such as 0.0.0.0 or `::`";
        v.error_hint(&at.field("bindAddress"), format!("{:?} is not an IP address", gateway.address()), hint);
    }
    if gateway.bind_port == 0 {
        v.missing(&at.field("bindPort"), "the port to listen on is missing", "write bindPort: 8080");
    } else {
        v.within(&at.field("bindPort"), Some(gateway.bind_port), 1, 65_535);
    }
    for (index, name) in gateway.proxy_names.iter().enumerate() {
        if name.is_empty() {
            v.error(&at.field("proxyNames").index(index), "the name of the fleet is empty");
        }
    }
    match &gateway.http_gateway {
        None => v.missing(at, "the gateway serves nothing", "write httpGateway: {}"),
        Some(http) => http_gateway(v, http, &at.field("httpGateway")),
    }
    let options = gateway.options.as_ref();
    if let Some(service) = options.and_then(|options| options.access_logging_service.as_ref()) {
        let at = at.field("options");
        access_logs(v, service, &at.field("accessLoggingService"));
    }
}

fn http_gateway(v: &mut Validator<'_, '_>, http: &HttpGateway, at: &Trail<'_>) {
    let services = at.field("virtualServices");
    for (index, reference) in http.virtual_services.iter().enumerate() {
        v.reference(reference, &services.index(index));
    }
    if let Some(expressions) = &http.virtual_service_expressions {
        let at = at.field("virtualServiceExpressions");
        action::label_expressions(v, &expressions.expressions, &at.field("expressions"));
    }
    let options = http.options.as_ref();
    if let Some(settings) = options.and_then(|options| options.http_connection_manager_settings.as_ref()) {
        let at = at.field("options");
        connection_manager(v, settings, &at.field("httpConnectionManagerSettings"));
    }
}

fn connection_manager(v: &mut Validator<'_, '_>, settings: &HttpConnectionManagerSettings, at: &Trail<'_>) {
    v.within(&at.field("maxRequestHeadersKb"), settings.max_request_headers_kb, 1, 8_192);
    v.within(&at.field("maxHeadersCount"), settings.max_headers_count, 1, u32::MAX);
    let texts = [
        ("via", &settings.via),
        ("serverName", &settings.server_name),
        ("defaultHostForHttp10", &settings.default_host_for_http10),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            headers::value(v, text, &at.field(name));
        }
    }
    let upgrades = at.field("upgrades");
    for (index, upgrade) in settings.upgrades.iter().enumerate() {
        if upgrade.connect_terminate.is_some() {
            let hint = "write it in the options of a route with connectMatcher";
            v.error_hint(&upgrades.index(index), "a listener does not terminate CONNECT, a route does", hint);
        }
    }
    options::upgrades(v, &settings.upgrades, &upgrades);
}

fn access_logs(v: &mut Validator<'_, '_>, service: &AccessLoggingService, at: &Trail<'_>) {
    let at = at.field("accessLog");
    for (index, log) in service.access_log.iter().enumerate() {
        let at = at.index(index);
        match &log.file_sink {
            // A log to a kind of sink that is not supported is named already; the gateway works without it.
            None if v.findings.skipped_in(&at.path()) => {}
            None => v.missing(&at, "the access log goes nowhere", "write fileSink: {path: /dev/stdout}"),
            Some(sink) => file_sink(v, sink, &at.field("fileSink")),
        }
    }
}

fn file_sink(v: &mut Validator<'_, '_>, sink: &FileSink, at: &Trail<'_>) {
    if sink.path.is_empty() {
        v.missing(&at.field("path"), "the path of the file is missing", "write path: /dev/stdout");
    }
    let formats =
        [("stringFormat", sink.string_format.is_some()), ("jsonFormat", sink.json_format.is_some())];
    v.at_most_one(at, "the format", &formats);
    if let Some(format) = &sink.string_format {
        headers::formatted(v, format, &at.field("stringFormat"));
    }
    for (name, value) in sink.json_format.iter().flatten() {
        json_format(v, value, &at.field("jsonFormat").field(name));
    }
}

fn json_format(v: &mut Validator<'_, '_>, value: &Value, at: &Trail<'_>) {
    match value {
        Value::String(text) => headers::formatted(v, text, at),
        Value::Array(list) => {
            for (index, each) in list.iter().enumerate() {
                json_format(v, each, &at.index(index));
            }
        }
        Value::Object(map) => {
            for (name, each) in map {
                json_format(v, each, &at.field(name));
            }
        }
        _ => {}
    }
}
