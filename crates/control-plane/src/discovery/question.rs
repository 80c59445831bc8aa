//! From an upstream to the question that a source is asked.

use std::fmt;
use std::sync::Arc;

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;
use biplane_core::resources::upstream::Discovery;
use biplane_core::scalars::SecretString;
use biplane_source::{Credentials, EndpointRequest, EndpointSource, Query};
use zeroize::Zeroizing;

use super::canonical;

/// What upstreams need to know of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverySource {
    /// Its name.
    pub name: Arc<str>,
    /// Its kind, [`EndpointSource::kind`].
    pub kind: &'static str,
    /// Whether first answers wait for it.
    pub required: bool,
}

impl DiscoverySource {
    /// The facts of a source.
    pub fn of(source: &dyn EndpointSource) -> Self {
        Self { name: source.name().into(), kind: source.kind(), required: source.required() }
    }
}

/// A question to one source. Its order and equality are those of the question itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// Who is asked.
    pub source: Arc<str>,
    /// What is asked.
    pub request: Arc<EndpointRequest>,
}

/// Why nobody can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misasked {
    path: [&'static str; 2],
    message: String,
    hint: String,
}

impl Question {
    /// The question of an upstream.
    pub(super) fn of(
        discovery: Discovery<'_>,
        sources: &[DiscoverySource],
        secret: &impl Fn(&ResourceRef) -> Option<Arc<Secret>>,
    ) -> Result<Self, Misasked> {
        let query = query(discovery);
        let source = source(&query, sources)?;
        let credentials = match self::secret(discovery) {
            None => None,
            Some(name) => Some(credentials(name, secret(name).as_deref())?),
        };
        Ok(Self { source, request: Arc::new(EndpointRequest { query, credentials }) })
    }

    /// The same for the same question in every run and every version, whatever the credentials are by then. Nothing
    /// secret. What a query does not say is not in it, so that a field that is new changes no question that is old.
    pub(crate) fn text(&self) -> Arc<str> {
        format!("{} {}", self.source, canonical::text(&self.request.query)).into()
    }

    /// The same as versions before wrote it. Once a query has another field, what these kept is not found any more.
    pub(super) fn old_text(&self) -> String {
        format!("{} {:?}", self.source, self.request.query)
    }

    /// Whether it is the same, be it with other credentials: those of one secret, which the query names.
    pub(super) fn asks_as(&self, other: &Self) -> bool {
        self.source == other.source && self.request.query == other.request.query
    }

    /// The field of the upstream that asks.
    pub(crate) fn field(&self) -> &'static str {
        field(&self.request.query)
    }
}

/// `consul: web`
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.request.query)
    }
}

impl Misasked {
    /// What is wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }

    /// The same about an object.
    pub(super) fn report(&self, key: &ObjectKey) -> Report {
        let parts = self.path.iter().filter(|part| !part.is_empty());
        let path = parts.fold(FieldPath::root(), |path, part| path.field(*part));
        Report::error(key, path, self.message.clone()).hint(self.hint.clone())
    }
}

/// The secret whose credentials an upstream asks with.
pub(super) fn secret(discovery: Discovery<'_>) -> Option<&ResourceRef> {
    match discovery {
        Discovery::AwsEc2(upstream) => upstream.secret_ref.as_ref(),
        Discovery::Consul(_) | Discovery::Nomad(_) | Discovery::Dns(_) => None,
    }
}

fn query(discovery: Discovery<'_>) -> Query {
    match discovery {
        Discovery::Consul(upstream) => Query::Consul(upstream.clone()),
        Discovery::Nomad(upstream) => Query::Nomad(upstream.clone()),
        Discovery::AwsEc2(upstream) => Query::AwsEc2(upstream.clone()),
        Discovery::Dns(upstream) => Query::Dns(upstream.clone()),
    }
}

/// The field of an upstream that asks.
pub(super) const fn field_of(discovery: Discovery<'_>) -> &'static str {
    match discovery {
        Discovery::Consul(_) => "consul",
        Discovery::Nomad(_) => "nomad",
        Discovery::AwsEc2(_) => "awsEc2",
        Discovery::Dns(_) => "dns",
    }
}

pub(super) const fn field(query: &Query) -> &'static str {
    match query {
        Query::Consul(_) => "consul",
        Query::Nomad(_) => "nomad",
        Query::AwsEc2(_) => "awsEc2",
        Query::Dns(_) => "dns",
    }
}

/// The source that an upstream names, or the first of its kind.
fn source(query: &Query, sources: &[DiscoverySource]) -> Result<Arc<str>, Misasked> {
    let found = match query.source() {
        // What a source cannot answer it says itself.
        Some(name) => sources.iter().find(|source| *source.name == *name),
        None => sources.iter().find(|source| source.kind == query.kind()),
    };
    found.map(|source| source.name.clone()).ok_or_else(|| {
        let known: Vec<_> = sources.iter().map(|source| &*source.name).collect();
        let message = match query.source() {
            Some(name) => format!("there is no discovery source named {name:?}"),
            None => format!("there is no discovery source of kind {}", query.kind()),
        };
        let hint = if known.is_empty() {
            format!("the setting `discovery` lists them, such as discovery: [\"{}:\"]", query.kind())
        } else {
            format!("the sources are {}; the setting `discovery` lists them", known.join(", "))
        };
        Misasked { path: [field(query), if query.source().is_some() { "source" } else { "" }], message, hint }
    })
}

fn credentials(name: &ResourceRef, secret: Option<&Secret>) -> Result<Credentials, Misasked> {
    let missing = |message: String, hint: &str| Misasked {
        path: ["awsEc2", "secretRef"],
        message,
        hint: hint.to_owned(),
    };
    let Some(secret) = secret else {
        return Err(missing(
            format!("there is no secret {name} yet"),
            "leave secretRef out to use the source's own credentials",
        ));
    };
    let Some(aws) = &secret.aws else {
        return Err(missing(
            format!("secret {name} holds no AWS credentials yet"),
            "write aws: {accessKey: ..., secretKey: ...}",
        ));
    };
    let text =
        |value: Option<&SecretString>| value.map(|value| Arc::new(Zeroizing::new(value.expose().to_owned())));
    Ok(Credentials {
        access_key: aws.access_key.clone().unwrap_or_default(),
        secret_key: text(aws.secret_key.as_ref()).unwrap_or_default(),
        session_token: text(aws.session_token.as_ref()),
    })
}
