//! The settings about who may connect, which must fit together.

use std::path::PathBuf;

use biplane_control_plane::{Limits, NodeAccess, NodeTls, Rules, TlsSecret};
use biplane_core::resources::secret::{VaultKv, VaultPki};
use biplane_identity::Identity;
use biplane_source::SecretRequest;
use biplane_tls::TlsFiles;
use serde::Deserialize;

use super::values::{Reader, Told, without_place};

/// A server's certificate in a source of secrets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenSecret {
    /// The name of the source.
    source: String,
    /// One of these.
    vault_pki: Option<VaultPki>,
    vault_kv: Option<VaultKv>,
    path: Option<String>,
    /// Whether nodes have to show certificates of the authority that comes with it.
    #[serde(default)]
    clients: bool,
}

/// Everything about who may connect.
pub(super) fn nodes(reader: &mut Reader<'_>) -> Result<NodeAccess, Told> {
    let trust_node_metadata = reader.required("xdsTrustNodeMetadata", super::values::truth);
    let plaintext = reader.required("xdsPlaintext", super::values::truth);
    let rules = reader.optional("identity", rules);
    let limits = limits(reader);
    let tls = tls(reader);
    Ok(NodeAccess {
        tls: tls?,
        rules: rules?.unwrap_or_default(),
        trust_node_metadata: trust_node_metadata?,
        plaintext: plaintext?,
        limits: limits?,
    })
}

fn limits(reader: &mut Reader<'_>) -> Result<Limits, Told> {
    let connections = reader.required("xdsMaxConnections", most);
    let streams = reader.required("xdsMaxStreams", most);
    let streams_per_identity = reader.required("xdsMaxStreamsPerIdentity", most);
    Ok(Limits {
        connections: connections?,
        streams: streams?,
        streams_per_identity: streams_per_identity?,
        ..Limits::default()
    })
}

/// None at all would shut everybody out.
fn most(text: &str) -> Result<usize, String> {
    let most = text.parse().ok().filter(|most| *most > 0);
    most.ok_or_else(|| format!("{text:?} is no number from 1 on"))
}

fn tls(reader: &mut Reader<'_>) -> Result<Option<NodeTls>, Told> {
    let files = reader.pair("xdsTlsCert", "xdsTlsKey");
    let secret = reader.optional("xdsTlsSecret", secret);
    let client_ca = reader.path("xdsTlsClientCa");
    match (files?, secret?, client_ca) {
        (Some(_), Some(_), _) => {
            Err(reader.refuse("xdsTlsSecret", "it and xdsTlsCert exclude each other".to_owned()))
        }
        (None, None, Some(_)) => {
            Err(reader.refuse("xdsTlsClientCa", "it is of no use without xdsTlsCert".to_owned()))
        }
        (None, Some(_), Some(_)) => Err(reader.refuse(
            "xdsTlsClientCa",
            "with xdsTlsSecret the authority comes with the secret: write clients: true there".to_owned(),
        )),
        (Some((cert, key)), None, client_ca) => Ok(Some(NodeTls::Files(TlsFiles { cert, key, client_ca }))),
        (None, Some(secret), None) => Ok(Some(NodeTls::Secret(secret))),
        (None, None, None) => Ok(None),
    }
}

fn secret(text: &str) -> Result<TlsSecret, String> {
    let written: WrittenSecret = serde_json::from_str(text).map_err(|error| without_place(&error))?;
    let request = match (written.vault_pki, written.vault_kv, written.path) {
        (Some(pki), None, None) => SecretRequest::Pki(pki),
        (None, Some(kv), None) => SecretRequest::Kv(kv),
        (None, None, Some(path)) => SecretRequest::Path(path),
        _ => return Err("it has exactly one of vaultPki, vaultKv and path".to_owned()),
    };
    Ok(TlsSecret { source: written.source, request, clients: written.clients })
}

/// A map, or the file that it is in. A file is read when the process starts, and when it changes.
fn rules(text: &str) -> Result<Rules, String> {
    if !text.starts_with('{') {
        return Ok(Rules::File(PathBuf::from(text)));
    }
    let identity: Identity = serde_json::from_str(text).map_err(|error| without_place(&error))?;
    biplane_identity::Rules::compile(&identity).map_err(|faults| faults.join("; "))?;
    Ok(Rules::Inline(identity))
}
