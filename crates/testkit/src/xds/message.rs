//! The messages of discovery, reduced to what a test looks at.

use std::collections::BTreeMap;

use anyhow::Result;
use bytes::Bytes;

use super::wire::{Fields, Writer, text};

/// The code that Envoy sends with a refusal: invalid argument.
const REFUSED: u64 = 3;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `node.id`
    pub id: String,
    /// `node.cluster`: the fleet.
    pub cluster: String,
    /// `node.metadata.role`, as Gloo's Envoys send it.
    pub role: Option<String>,
}

impl Node {
    /// A node of a fleet.
    pub fn new(id: &str, cluster: &str) -> Self {
        Self { id: id.to_owned(), cluster: cluster.to_owned(), role: None }
    }

    fn encode(&self, writer: &mut Writer) {
        writer.text(1, &self.id);
        writer.text(2, &self.cluster);
        if let Some(role) = &self.role {
            // metadata.fields["role"].string_value
            writer.message(3, |metadata| {
                metadata.message(1, |entry| {
                    entry.text(1, "role");
                    entry.message(2, |value| value.bytes(3, role.as_bytes()));
                });
            });
        }
    }
}

/// A delta request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeltaRequest {
    /// The type that it is about.
    pub type_url: String,
    /// Names to ask for.
    pub subscribe: Vec<String>,
    /// Names no longer asked for.
    pub unsubscribe: Vec<String>,
    /// What the client holds from before, by name.
    pub initial_versions: BTreeMap<String, String>,
    /// The response that it answers.
    pub nonce: String,
    /// Why that response is refused.
    pub error: Option<String>,
}

impl DeltaRequest {
    pub(super) fn encode(&self, node: Option<&Node>) -> Bytes {
        let mut writer = Writer::default();
        if let Some(node) = node {
            writer.message(1, |writer| node.encode(writer));
        }
        writer.text(2, &self.type_url);
        self.subscribe.iter().for_each(|name| writer.bytes(3, name.as_bytes()));
        self.unsubscribe.iter().for_each(|name| writer.bytes(4, name.as_bytes()));
        for (name, version) in &self.initial_versions {
            writer.message(5, |entry| {
                entry.text(1, name);
                entry.text(2, version);
            });
        }
        writer.text(6, &self.nonce);
        encode_error(&mut writer, 7, self.error.as_deref());
        writer.finish()
    }
}

/// A delta response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeltaResponse {
    /// The type that it is about.
    pub type_url: String,
    /// Names this response.
    pub nonce: String,
    /// Changed resources in their order.
    pub resources: Vec<Resource>,
    /// Names of removed resources.
    pub removed: Vec<String>,
    /// The length of the message.
    pub size: usize,
}

/// A resource in a delta response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its `google.protobuf.Any`; none where the server says that it has nothing.
    pub any: Option<Bytes>,
}

impl DeltaResponse {
    /// The names of the changed resources in their order.
    pub fn names(&self) -> Vec<&str> {
        self.resources.iter().map(|resource| resource.name.as_str()).collect()
    }

    pub(super) fn decode(message: &Bytes) -> Result<Self> {
        let mut response = Self { size: message.len(), ..Self::default() };
        let mut fields = Fields::of(message);
        while let Some((field, bytes)) = fields.next()? {
            match field {
                2 => response.resources.push(Resource::decode(&bytes)?),
                4 => response.type_url = text(&bytes)?,
                5 => response.nonce = text(&bytes)?,
                6 => response.removed.push(text(&bytes)?),
                _ => {}
            }
        }
        Ok(response)
    }
}

impl Resource {
    fn decode(message: &Bytes) -> Result<Self> {
        let mut resource = Self::default();
        let mut fields = Fields::of(message);
        while let Some((field, bytes)) = fields.next()? {
            match field {
                1 => resource.version = text(&bytes)?,
                2 => resource.any = Some(bytes),
                3 => resource.name = text(&bytes)?,
                _ => {}
            }
        }
        Ok(resource)
    }
}

/// A state-of-the-world request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SotwRequest {
    /// The type that it is about.
    pub type_url: String,
    /// The last version that was accepted.
    pub version: String,
    /// The response that it answers.
    pub nonce: String,
    /// All names asked for.
    pub names: Vec<String>,
    /// Why that response is refused.
    pub error: Option<String>,
}

impl SotwRequest {
    pub(super) fn encode(&self, node: Option<&Node>) -> Bytes {
        let mut writer = Writer::default();
        writer.text(1, &self.version);
        if let Some(node) = node {
            writer.message(2, |writer| node.encode(writer));
        }
        self.names.iter().for_each(|name| writer.bytes(3, name.as_bytes()));
        writer.text(4, &self.type_url);
        writer.text(5, &self.nonce);
        encode_error(&mut writer, 6, self.error.as_deref());
        writer.finish()
    }
}

/// A state-of-the-world response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SotwResponse {
    /// The type that it is about.
    pub type_url: String,
    /// The version of the whole.
    pub version: String,
    /// Names this response.
    pub nonce: String,
    /// Each resource's `google.protobuf.Any`, in their order.
    pub resources: Vec<Bytes>,
    /// The length of the message.
    pub size: usize,
}

impl SotwResponse {
    pub(super) fn decode(message: &Bytes) -> Result<Self> {
        let mut response = Self { size: message.len(), ..Self::default() };
        let mut fields = Fields::of(message);
        while let Some((field, bytes)) = fields.next()? {
            match field {
                1 => response.version = text(&bytes)?,
                2 => response.resources.push(bytes),
                4 => response.type_url = text(&bytes)?,
                5 => response.nonce = text(&bytes)?,
                _ => {}
            }
        }
        Ok(response)
    }
}

fn encode_error(writer: &mut Writer, field: u32, error: Option<&str>) {
    if let Some(message) = error {
        writer.message(field, |status| {
            status.number(1, REFUSED);
            status.text(2, message);
        });
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::discovery::v3 as envoy;
    use envoy_types::pb::google::protobuf::Any;
    use envoy_types::pb::google::protobuf::value::Kind;
    use prost::Message;

    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn delta_requests_are_what_envoys_definitions_read() {
        let node = Node { role: Some("gloo-system~proxy".into()), ..Node::new("one", "fleet") };
        let request = DeltaRequest {
            type_url: "type".into(),
            subscribe: strings(&["a", "b"]),
            unsubscribe: strings(&["c"]),
            initial_versions: [("a".to_owned(), "1".to_owned())].into(),
            nonce: "n".into(),
            error: Some("no".into()),
        };
        let read = envoy::DeltaDiscoveryRequest::decode(request.encode(Some(&node))).expect("valid");
        let who = read.node.expect("a node");
        assert_eq!((who.id.as_str(), who.cluster.as_str()), ("one", "fleet"));
        let role = who.metadata.expect("metadata").fields["role"].kind.clone();
        assert_eq!(role, Some(Kind::StringValue("gloo-system~proxy".into())));
        assert_eq!(read.type_url, "type");
        assert_eq!(read.resource_names_subscribe, ["a", "b"]);
        assert_eq!(read.resource_names_unsubscribe, ["c"]);
        assert_eq!(read.initial_resource_versions["a"], "1");
        assert_eq!(read.response_nonce, "n");
        assert_eq!(read.error_detail.expect("an error").message, "no");
    }

    #[test]
    fn delta_responses_are_read_as_envoys_definitions_write_them() {
        let any = Any { type_url: "type".into(), value: vec![7; 300] };
        let written = envoy::DeltaDiscoveryResponse {
            system_version_info: "ignored".into(),
            type_url: "type".into(),
            nonce: "n".into(),
            removed_resources: strings(&["gone"]),
            resources: vec![envoy::Resource {
                name: "a".into(),
                version: "1".into(),
                resource: Some(any.clone()),
                ..envoy::Resource::default()
            }],
            ..envoy::DeltaDiscoveryResponse::default()
        };
        let bytes = Bytes::from(written.encode_to_vec());
        let read = DeltaResponse::decode(&bytes).expect("valid");
        let resource =
            Resource { name: "a".into(), version: "1".into(), any: Some(any.encode_to_vec().into()) };
        assert_eq!(
            read,
            DeltaResponse {
                type_url: "type".into(),
                nonce: "n".into(),
                resources: vec![resource],
                removed: strings(&["gone"]),
                size: bytes.len(),
            }
        );
    }

    #[test]
    fn state_of_the_world_messages_are_those_of_envoys_definitions() {
        let request = SotwRequest {
            type_url: "type".into(),
            version: "1".into(),
            nonce: "n".into(),
            names: strings(&["a"]),
            error: None,
        };
        let read = envoy::DiscoveryRequest::decode(request.encode(None)).expect("valid");
        assert_eq!(read.resource_names, ["a"]);
        assert_eq!((read.version_info.as_str(), read.response_nonce.as_str()), ("1", "n"));
        assert!(read.node.is_none() && read.error_detail.is_none());

        let any = Any { type_url: "type".into(), value: vec![7; 3] };
        let written = envoy::DiscoveryResponse {
            version_info: "2".into(),
            type_url: "type".into(),
            nonce: "m".into(),
            resources: vec![any.clone()],
            ..envoy::DiscoveryResponse::default()
        };
        let read = SotwResponse::decode(&written.encode_to_vec().into()).expect("valid");
        assert_eq!(read.resources, [any.encode_to_vec()]);
        assert_eq!((read.version.as_str(), read.nonce.as_str()), ("2", "m"));
    }

    #[test]
    fn a_message_that_breaks_off_is_an_error() {
        let whole = DeltaRequest { type_url: "type".into(), ..DeltaRequest::default() }.encode(None);
        assert!(DeltaResponse::decode(&whole.slice(..whole.len() - 1)).is_err());
    }
}
