//! Envoy's substitution formatters in header values and access logs: `%PROTOCOL%`, `%REQ(:path)%`.
//! Envoy refuses the whole configuration over one that it does not know.

use super::text;
use crate::suggest::nearest;

/// Why Envoy refuses the text, and what to try.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub message: String,
    pub hint: String,
}

fn refuse(message: impl Into<String>, hint: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal { message: message.into(), hint: hint.into() })
}

/// Checks a text with commands between percent signs.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('%') {
        if let Some(behind) = behind.strip_prefix('%') {
            rest = behind;
            continue;
        }
        rest = command(behind)?;
    }
    Ok(())
}

/// Checks the command behind a percent sign; yields what follows it.
fn command(text: &str) -> Result<&str, Refusal> {
    let letters = text
        .find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(letters);
    let (arguments, rest) = arguments(rest);
    let (length, rest) = length(rest);
    let Some(rest) = rest.strip_prefix('%').filter(|_| !name.is_empty()) else {
        refuse("a % starts a command of Envoy's that does not end", "write %% for a percent sign")?;
        return Ok(rest);
    };
    known(name, arguments)?;
    if length.is_some() && !WITH_LENGTH.contains(&name) {
        refuse(
            format!("%{name}% takes no length"),
            format!("leave out what stands behind the colon of %{name}%"),
        )?;
    }
    if length.is_some_and(|digits| digits.len() > MAX_LENGTH_DIGITS) {
        refuse(format!("the length of %{name}% is beyond Envoy's numbers"), "leave the length out")?;
    }
    Ok(rest)
}

/// `(...)`, if it comes next.
fn arguments(text: &str) -> (Option<&str>, &str) {
    match text.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
        Some((arguments, rest)) => (Some(arguments), rest),
        None => (None, text),
    }
}

/// The digits of `:12`, if it comes next.
fn length(text: &str) -> (Option<&str>, &str) {
    let Some(behind) = text.strip_prefix(':') else { return (None, text) };
    let digits = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
    if digits == 0 {
        return (None, text);
    }
    let (digits, rest) = behind.split_at(digits);
    (Some(digits), rest)
}

fn known(name: &str, arguments: Option<&str>) -> Result<(), Refusal> {
    if arguments.is_some_and(|arguments| arguments.contains(['\n', '\r'])) {
        return refuse(format!("a line break stands inside %{name}%"), "write the command on one line");
    }
    if WITH_ARGUMENTS.binary_search(&name).is_ok() {
        return match arguments {
            None | Some("") => {
                refuse(format!("%{name}% needs to be told of what"), format!("write %{name}(...)%"))
            }
            Some(arguments) => required(name, arguments),
        };
    }
    if OPTIONAL.binary_search(&name).is_ok() {
        return arguments.map_or(Ok(()), |arguments| optional(name, arguments));
    }
    if PLAIN.binary_search(&name).is_err() {
        let hint = match nearest(name, PLAIN.iter().chain(WITH_ARGUMENTS).copied()) {
            Some(known) => format!("did you mean %{known}%?"),
            None => "write %% for a percent sign".to_owned(),
        };
        return refuse(format!("Envoy has no command %{name}%"), hint);
    }
    if arguments.is_some_and(|arguments| !arguments.is_empty()) {
        return refuse(format!("%{name}% takes no arguments"), format!("write %{name}%"));
    }
    Ok(())
}

/// Arguments of the commands that need them.
fn required(name: &str, arguments: &str) -> Result<(), Refusal> {
    match name {
        "REQ" | "REQUEST_HEADER" | "RESP" | "RESPONSE_HEADER" | "TRAILER" | "RESPONSE_TRAILER" => {
            header(name, arguments)
        }
        "FILTER_STATE" | "UPSTREAM_FILTER_STATE" => filter_state(name, arguments),
        "COMMON_DURATION" => common_duration(arguments),
        // An expression with a mistake would cost the whole listener.
        "CEL" => {
            refuse("expressions of CEL cannot be checked before Envoy reads them", "use the other commands")
        }
        _ => Ok(()),
    }
}

/// `name`, or `name?alternative`.
fn header(name: &str, arguments: &str) -> Result<(), Refusal> {
    let (first, alternative) = arguments.split_once('?').unwrap_or((arguments, ""));
    if alternative.contains('?') {
        return refuse(format!("%{name}% takes one alternative at most"), "keep one ?");
    }
    match [first, alternative].into_iter().find(|header| !header.is_empty() && !is_header(header)) {
        Some(header) => refuse(
            format!("{header:?} in %{name}% is not a name that a header can have"),
            format!("write %{name}(x-name)% or %{name}(x-name?x-other)%"),
        ),
        None => Ok(()),
    }
}

fn is_header(name: &str) -> bool {
    text::header_name(name).is_ok()
}

/// `key`, `key:PLAIN`, `key:TYPED`, or `key:FIELD:name`.
fn filter_state(name: &str, arguments: &str) -> Result<(), Refusal> {
    let mut parts = arguments.split(':');
    let (key, form, field) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    match (form, field) {
        _ if key.is_empty() => refuse(format!("%{name}% needs the key"), format!("write %{name}(key)%")),
        (None | Some("" | "PLAIN" | "TYPED"), None) => Ok(()),
        (Some("FIELD"), Some(field)) if !field.is_empty() => Ok(()),
        (Some("FIELD"), _) => {
            refuse(format!("FIELD in %{name}% needs the field"), format!("write %{name}(key:FIELD:name)%"))
        }
        (Some("PLAIN" | "TYPED"), _) => {
            refuse(format!("only FIELD of %{name}% has a third part"), "leave the third part out")
        }
        _ => refuse(format!("Envoy does not know this form of %{name}%"), "it is one of PLAIN, TYPED, FIELD"),
    }
}

/// Two points in time, and in what unit to count between them.
fn common_duration(arguments: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arguments.split(':').collect();
    match parts[..] {
        [_, _] | [_, _, "ns" | "us" | "ms"] => Ok(()),
        [_, _, _] => refuse("Envoy does not know this unit of %COMMON_DURATION%", "it is one of ns, us, ms"),
        _ => refuse(
            "%COMMON_DURATION% needs two points in time",
            "write %COMMON_DURATION(DS_RX_BEG:DS_TX_END)%",
        ),
    }
}

/// Arguments of the commands that may have some. Those that are not here take any text.
fn optional(name: &str, arguments: &str) -> Result<(), Refusal> {
    let mut parts = arguments.split(':');
    let mut word = |words: &[&str]| part(name, parts.next().unwrap_or_default(), words);
    match name {
        // The whole argument is one word: a colon would be part of it.
        "GRPC_STATUS" => part(name, arguments, &["CAMEL_STRING", "SNAKE_STRING", "NUMBER"]),
        "QUERY_PARAMS" => part(name, arguments, &["ORIG", "DECODED"]),
        "PATH" => word(&["WQ", "NQ"]).and_then(|()| word(&["ORIG", "PATH", "ORIG_OR_PATH"])),
        "REQUESTED_SERVER_NAME" => word(&["SNI_ONLY", "SNI_FIRST", "HOST_FIRST"])
            .and_then(|()| word(&["ORIG", "HOST", "ORIG_OR_HOST"])),
        _ => Ok(()),
    }
}

/// A part of the arguments that is one of `words`, or empty.
fn part(name: &str, part: &str, words: &[&str]) -> Result<(), Refusal> {
    if part.is_empty() || words.contains(&part) {
        return Ok(());
    }
    refuse(
        format!("Envoy does not know this argument of %{name}%"),
        format!("it is one of {}", words.join(", ")),
    )
}

/// Most digits of a length. Envoy fails over a number that it cannot hold.
const MAX_LENGTH_DIGITS: usize = 9;

/// Commands that take a length.
const WITH_LENGTH: [&str; 13] = [
    "DYNAMIC_METADATA",
    "ENVIRONMENT",
    "FILTER_STATE",
    "PATH",
    "QUERY_PARAM",
    "QUERY_PARAMS",
    "REQ",
    "REQUEST_HEADER",
    "RESP",
    "RESPONSE_HEADER",
    "RESPONSE_TRAILER",
    "TRAILER",
    "UPSTREAM_FILTER_STATE",
];

/// Commands that may have arguments, sorted.
const OPTIONAL: [&str; 19] = [
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "EMIT_TIME",
    "EMIT_TIME_LOCAL",
    "GRPC_STATUS",
    "PATH",
    "QUERY_PARAMS",
    "REQUESTED_SERVER_NAME",
    "RESPONSE_CODE_DETAILS",
    "START_TIME",
    "START_TIME_LOCAL",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_PEER_CERT_V_END",
    "UPSTREAM_PEER_CERT_V_START",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
];

/// Commands that need arguments, sorted. From Envoy 1.40.
#[rustfmt::skip]
const WITH_ARGUMENTS: &[&str] = &[
    "CEL", "CLUSTER_METADATA", "COMMON_DURATION", "DYNAMIC_METADATA", "ENVIRONMENT", "FILTER_STATE",
    "QUERY_PARAM", "REQ", "REQUEST_HEADER", "RESP", "RESPONSE_HEADER", "RESPONSE_TRAILER", "TRAILER",
    "UPSTREAM_FILTER_STATE", "UPSTREAM_METADATA",
];

/// All other commands, and those that may have arguments, sorted. From Envoy 1.40.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "ACCESS_LOG_TYPE", "BYTES_RECEIVED", "BYTES_RETRANSMITTED", "BYTES_SENT", "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS", "CUSTOM_FLAGS", "DOWNSTREAM_CX_RTT",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE", "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_LOCAL_PORT", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION", "DOWNSTREAM_HEADER_BYTES_RECEIVED", "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_CLOSE_REASON", "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_EMAIL_SAN", "DOWNSTREAM_LOCAL_IP_SAN", "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
    "DOWNSTREAM_LOCAL_PORT", "DOWNSTREAM_LOCAL_SUBJECT", "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CERT_V_END", "DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", "DOWNSTREAM_PEER_CHAIN_SERIALS", "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_EMAIL_SAN", "DOWNSTREAM_PEER_FINGERPRINT_1", "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_IP_SAN", "DOWNSTREAM_PEER_ISSUER", "DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER_SERIAL", "DOWNSTREAM_PEER_OTHERNAME_SAN", "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT", "DOWNSTREAM_PEER_URI_SAN", "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_REMOTE_PORT", "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_GROUP", "DOWNSTREAM_TLS_SESSION_ID", "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON", "DOWNSTREAM_WIRE_BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION", "EMIT_TIME", "EMIT_TIME_LOCAL", "FILTER_CHAIN_NAME", "GRPC_STATUS", "GRPC_STATUS_NUMBER",
    "HOSTNAME", "LISTENER_NAME", "LOCAL_REPLY_BODY", "PATH", "PROTOCOL", "QUERY_PARAMS",
    "REQUESTED_SERVER_NAME", "REQUEST_DURATION", "REQUEST_HEADERS_BYTES", "REQUEST_TX_DURATION",
    "RESPONSE_CODE", "RESPONSE_CODE_DETAILS", "RESPONSE_DURATION", "RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG",
    "RESPONSE_HEADERS_BYTES", "RESPONSE_TRAILERS_BYTES", "RESPONSE_TX_DURATION", "ROUNDTRIP_DURATION",
    "ROUTE_NAME", "ROUTE_RESOLUTION_COUNT", "ROUTE_RESOLUTION_TIME_US", "SPAN_ID", "START_TIME",
    "START_TIME_LOCAL", "STREAM_ID", "TLS_JA3_FINGERPRINT", "TLS_JA4_FINGERPRINT", "TRACE_ID", "UNIQUE_ID",
    "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_CONNECTION_IDS_ATTEMPTED", "UPSTREAM_CONNECTION_POOL_READY_DURATION",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "UPSTREAM_DETECTED_CLOSE_TYPE", "UPSTREAM_HEADER_BYTES_RECEIVED", "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HOST", "UPSTREAM_HOSTS_ATTEMPTED", "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
    "UPSTREAM_HOST_NAME", "UPSTREAM_HOST_NAMES_ATTEMPTED", "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT",
    "UPSTREAM_HOST_NAME_WITHOUT_PORT", "UPSTREAM_LOCAL_ADDRESS", "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_CLOSE_REASON", "UPSTREAM_LOCAL_DNS_SAN", "UPSTREAM_LOCAL_IP_SAN", "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_LOCAL_URI_SAN", "UPSTREAM_PEER_CERT", "UPSTREAM_PEER_CERT_V_END",
    "UPSTREAM_PEER_CERT_V_START", "UPSTREAM_PEER_DNS_SAN", "UPSTREAM_PEER_IP_SAN", "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_URI_SAN", "UPSTREAM_PROTOCOL", "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT", "UPSTREAM_SERVER_NAME", "UPSTREAM_TLS_CIPHER", "UPSTREAM_TLS_GROUP",
    "UPSTREAM_TLS_SESSION_ID", "UPSTREAM_TLS_VERSION", "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED", "UPSTREAM_WIRE_BYTES_SENT", "VIRTUAL_CLUSTER_NAME",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatter_accepts_what_envoy_knows() {
        for text in [
            "",
            "plain",
            "100%%",
            "%PROTOCOL%",
            "%REQ(X-A?:path):12% %START_TIME(%Y/%m)%",
            "%RESPONSE_CODE()%%%",
            "%GRPC_STATUS(NUMBER)%%PATH(WQ:ORIG)%%PATH(:ORIG)%%PATH()%",
            "%REQ(a):999999999%%REQ(?a)%%REQ(a?)%%RESP(:status)%",
            "%REQUESTED_SERVER_NAME(SNI_FIRST:ORIG)%%START_TIME(:)%%START_TIME(a(b)%",
            "%FILTER_STATE(a:FIELD:x:y)%%COMMON_DURATION(a:b:us)%",
            "%DYNAMIC_METADATA(a:b)%%FILTER_STATE(a:PLAIN)%%COMMON_DURATION(DS_RX_BEG:DS_TX_END)%",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn formatter_refuses_what_envoy_refuses() {
        for text in [
            "100%",
            "%",
            "50% off",
            "%FOO%",
            "%REQ%",
            "%REQ()%",
            "%REQ(a?b?c)%",
            "%REQ(a",
            "%REQ(a):%",
            "%protocol%",
            "%PROTOCOL",
            "%PROTOCOL(x)%",
            "%PROTOCOL:5%",
            "%GRPC_STATUS(x)%",
            "%FILTER_STATE(a:FOO)%",
            "%COMMON_DURATION(a)%",
            "%CEL(a)%",
            "%REQ(a:b)%",
            "%REQ(:path?a:3)%",
            "%REQ(a b)%",
            "%REQ(é)%",
            "%REQ(()%",
            "%REQ(a))%",
            "%REQ(:)%",
            "%TRAILER(a b)%",
            "%RESPONSE_TRAILER(a:b)%",
            "%REQ(a):99999999999999999999999%",
            "%REQ(a):5:6%",
            "%FILTER_STATE(:PLAIN)%",
            "%FILTER_STATE(a:FIELD)%",
            "%FILTER_STATE(a:FIELD:)%",
            "%FILTER_STATE(a:FIELD::)%",
            "%FILTER_STATE(a:PLAIN:x:y)%",
            "%UPSTREAM_FILTER_STATE(a:TYPED:x)%",
            "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:xx)%",
            "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:s)%",
            "%COMMON_DURATION(a:b:ms:x)%",
            "%PATH(WQ:XX)%",
            "%QUERY_PARAMS(ORIG:x)%",
            "%REQUESTED_SERVER_NAME(SNI_FIRST:xx)%",
            "%GRPC_STATUS(NUMBER:x)%",
            "%START_TIME(\n)%",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert_eq!(check("%PROTOCOLL%").unwrap_err().hint, "did you mean %PROTOCOL%?");
    }

    #[test]
    fn command_tables_are_sorted() {
        assert!(PLAIN.is_sorted() && WITH_ARGUMENTS.is_sorted() && OPTIONAL.is_sorted());
    }
}
