//! What consulrs answered, as JSON lines. Nothing is added and nothing is left out.

use consulrs::api::ApiResponse;
use consulrs::api::kv::common::{Base64String, KVPair};
use consulrs::error::ClientError;
use serde_json::{Value, json};

/// Whether a write took place, as Consul said.
pub fn done(answer: &ApiResponse<bool>) -> String {
    line(&head(answer, json!({ "done": answer.response })))
}

/// A line about the answer, then a line a pair.
pub fn pairs(answer: &ApiResponse<Vec<KVPair>>) -> String {
    let first = line(&head(answer, json!({ "pairs": answer.response.len() })));
    answer.response.iter().map(pair).fold(first, |lines, pair| lines + &line(&pair))
}

/// What the crate could read of a service's health.
pub fn health<T: std::fmt::Debug>(answer: &ApiResponse<T>) -> String {
    line(&head(answer, json!({ "health": format!("{:?}", answer.response) })))
}

/// The error with its causes, and the status if it is the server's.
pub fn error(error: &ClientError) -> String {
    let (status, message) = match error {
        ClientError::APIError { code, message } => (Some(*code), message.clone()),
        _ => (None, None),
    };
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    line(&json!({ "error": causes.join(": "), "status": status, "message": message, "index": null }))
}

/// The headers that consulrs hands on.
fn head<T>(answer: &ApiResponse<T>, mut about: Value) -> Value {
    about["index"] = json!(answer.index.as_deref().and_then(|index| index.parse::<u64>().ok()));
    about["known_leader"] = json!(answer.known_leader);
    about["last_contact"] = json!(answer.last_contact);
    about
}

/// `value` if it is text, else `bytes`.
fn pair(pair: &KVPair) -> Value {
    let mut line = json!({
        "key": pair.key,
        "create_index": pair.create_index,
        "modify_index": pair.modify_index,
        "lock_index": pair.lock_index,
        "flags": pair.flags,
        "session": pair.session,
    });
    match String::from_utf8(bytes(pair.value.clone())) {
        Ok(text) => line["value"] = json!(text),
        Err(other) => line["bytes"] = json!(other.as_bytes()),
    }
    line
}

/// Consul writes an empty value as none.
fn bytes(value: Option<Base64String>) -> Vec<u8> {
    value.map_or_else(Vec::new, |value| value.try_into().expect("Consul encodes values as base64"))
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
