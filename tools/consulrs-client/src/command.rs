//! The commands: one call of consulrs each, with what it was given.

use std::io::Read;

use consulrs::api::features::{Blocking, Features};
use consulrs::api::kv::requests::{DeleteKeyRequest, ReadKeyRequest, SetKeyRequest};
use consulrs::client::ConsulClient;
use consulrs::error::ClientError;
use consulrs::{api, kv, service};

use crate::answer;

/// How long a watch waits for the index to move, in Consul's own notation.
const WAIT: &str = "30s";

/// What to do.
pub enum Command {
    /// Write a value, if the index is as given.
    Put { key: String, value: Vec<u8>, index: Option<u64> },
    /// Read one key.
    Get { key: String },
    /// Read what is below a prefix, at once or once the index has moved.
    Recurse { prefix: String, after: Option<(u64, String)> },
    /// Delete one key, or what is below it.
    Delete { key: String, recurse: bool },
    /// The health of a service.
    Health { service: String },
}

impl Command {
    /// Reads the command line, and the value from where it says.
    pub fn parse(words: &[&str]) -> Result<(String, Self), String> {
        let [verb, address, key, rest @ ..] = words else {
            return Err("a command, an address and a key are needed".into());
        };
        let key = (*key).to_owned();
        let command = match (*verb, rest) {
            ("put", []) => Self::Put { key, value: value("-")?, index: None },
            ("put", [word]) => Self::Put { key, value: value(word)?, index: None },
            ("cas", [index, word]) => Self::Put { key, value: value(word)?, index: Some(number(index)?) },
            ("get", []) => Self::Get { key },
            ("recurse", []) => Self::Recurse { prefix: key, after: None },
            ("watch", [index]) => Self::Recurse { prefix: key, after: Some((number(index)?, WAIT.into())) },
            ("watch", [index, wait]) => {
                Self::Recurse { prefix: key, after: Some((number(index)?, (*wait).to_owned())) }
            }
            ("delete", []) => Self::Delete { key, recurse: false },
            ("delete-tree", []) => Self::Delete { key, recurse: true },
            ("health", []) => Self::Health { service: key },
            _ => return Err(format!("{:?} is no command, or not with these arguments", words.join(" "))),
        };
        Ok(((*address).to_owned(), command))
    }

    /// Does it, and returns what to print.
    pub async fn run(self, client: &ConsulClient) -> Result<String, ClientError> {
        match self {
            Self::Put { key, value, index } => put(client, &key, value, index).await,
            Self::Get { key } => Ok(answer::pairs(&kv::read(client, &key, None).await?)),
            Self::Recurse { prefix, after } => recurse(client, &prefix, after).await,
            Self::Delete { key, recurse } => delete(client, &key, recurse).await,
            Self::Health { service } => Ok(answer::health(&service::health(client, &service, None).await?)),
        }
    }
}

/// Not by `kv::set`, which takes only values that live for ever (`&'static [u8]`).
async fn put(
    client: &ConsulClient,
    key: &str,
    value: Vec<u8>,
    index: Option<u64>,
) -> Result<String, ClientError> {
    let mut request = SetKeyRequest::builder();
    request.key(key).value(value);
    if let Some(index) = index {
        request.cas(index);
    }
    let request = request.build().expect("every field has a default");
    Ok(answer::done(&api::exec_with_result(client, request).await?))
}

async fn recurse(
    client: &ConsulClient,
    prefix: &str,
    after: Option<(u64, String)>,
) -> Result<String, ClientError> {
    let mut request = ReadKeyRequest::builder();
    request.recurse(true);
    if let Some((index, wait)) = after {
        let blocking = Blocking { index, wait: Some(wait) };
        request.features(Features::builder().blocking(blocking).build().expect("every field has a default"));
    }
    Ok(answer::pairs(&kv::read(client, prefix, Some(&mut request)).await?))
}

async fn delete(client: &ConsulClient, key: &str, recurse: bool) -> Result<String, ClientError> {
    let mut request = DeleteKeyRequest::builder();
    if recurse {
        request.recurse(true);
    }
    Ok(answer::done(&kv::delete(client, key, Some(&mut request)).await?))
}

/// The word itself, or what is in `@FILE`, or in stdin (`-`).
fn value(word: &str) -> Result<Vec<u8>, String> {
    if word == "-" {
        let mut value = Vec::new();
        std::io::stdin().read_to_end(&mut value).map_err(|error| format!("stdin: {error}"))?;
        return Ok(value);
    }
    match word.strip_prefix('@') {
        Some(file) => std::fs::read(file).map_err(|error| format!("{file}: {error}")),
        None => Ok(word.as_bytes().to_vec()),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|error| format!("{word:?} is no index: {error}"))
}
