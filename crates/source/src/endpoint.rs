//! Where an upstream can be reached, and how that is asked for.
//!
//! A source is asked for what one upstream wants ([`EndpointRequest`]) and keeps the answer fresh by itself. Upstreams that
//! want the same share one watch; what a source reads for many requests at once it reads once.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

pub use biplane_core::resources::endpoint::{Endpoint, Health, Locality};
use biplane_core::resources::upstream::discovery::{
    AwsEc2Upstream, ConsulUpstream, DnsUpstream, NomadUpstream,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{SourceError, SourceState, Watch};

/// What one upstream asks for. Equal requests have equal answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointRequest {
    /// What is looked for.
    pub query: Query,
    /// What to ask with instead of the source's own credentials.
    pub credentials: Option<Credentials>,
}

/// What is looked for, in the words of the upstream. A source answers one kind of query, and the others with a failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// Instances of a service in Consul's catalog.
    Consul(ConsulUpstream),
    /// Instances of a service that Nomad keeps itself.
    Nomad(NomadUpstream),
    /// Virtual machines of EC2.
    AwsEc2(AwsEc2Upstream),
    /// Records of a DNS name.
    Dns(DnsUpstream),
}

impl Query {
    /// The kind of source that answers, [`EndpointSource::kind`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Consul(_) => "consul",
            Self::Nomad(_) => "nomad",
            Self::AwsEc2(_) => "ec2",
            Self::Dns(_) => "dns",
        }
    }

    /// The name of the source that is to answer, where the upstream says it.
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::Consul(query) => query.source.as_deref(),
            Self::Nomad(query) => query.source.as_deref(),
            Self::AwsEc2(query) => query.source.as_deref(),
            Self::Dns(query) => query.source.as_deref(),
        }
    }
}

/// A query of one kind came to a source of another.
pub fn foreign(query: &str, source: &str) -> SourceError {
    SourceError::invalid(format!("a source of kind {source} cannot look up {query} endpoints"))
        .hint("leave `source` out of the upstream, or name one of its kind")
}

/// In short, for people.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consul(query) => f.write_str(
                query.service_name.as_deref().or(query.prepared_query.as_deref()).unwrap_or_default(),
            ),
            Self::Nomad(query) => {
                let namespace = query.namespace.as_deref().unwrap_or("default");
                write!(f, "{namespace}/{}", query.service_name)
            }
            Self::AwsEc2(query) => {
                f.write_str(query.region.as_deref().unwrap_or("default region"))?;
                query.filters.iter().try_for_each(|filter| write!(f, " {filter}"))
            }
            Self::Dns(query) => f.write_str(&query.name),
        }
    }
}

/// Credentials of AWS. They are wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the key, which is not secret.
    pub access_key: String,
    /// The key.
    pub secret_key: Arc<Zeroizing<String>>,
    /// The token of a session.
    pub session_token: Option<Arc<Zeroizing<String>>>,
}

impl Credentials {
    fn parts(&self) -> (&str, &str, Option<&str>) {
        (&self.access_key, &self.secret_key, self.session_token.as_ref().map(|token| token.as_str()))
    }
}

impl Ord for Credentials {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Credentials {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Credentials {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// How often what may change without a word is looked at again, where the source has nothing better.
pub const REFRESH: Duration = Duration::from_mins(1);

/// A source of endpoints: a catalog, a scheduler, a cloud.
pub trait EndpointSource: fmt::Debug + Send + Sync + 'static {
    /// As status shows it and as upstreams name it, without credentials.
    fn name(&self) -> String;

    /// What it is: `consul`, `nomad`, `ec2`, `dns`.
    fn kind(&self) -> &'static str;

    /// Whether Envoys are to wait for their first answer until it has answered. By setting.
    fn required(&self) -> bool;

    /// How it is doing as a whole, from now on.
    fn state(&self) -> watch::Receiver<SourceState>;

    /// The endpoints of one upstream from now on, sorted, for as long as the stream is polled. What the source does not
    /// know has none. Nothing runs for a request when its last stream is dropped.
    fn watch(&self, request: &EndpointRequest) -> Watch<Vec<Endpoint>>;

    /// Everything that is watched is read again at once.
    fn refresh(&self);

    /// An operator says that what has vanished is meant to be gone. For sources that do not believe it by themselves.
    fn accept(&self) {}

    /// What has happened so far, counted, by a word for metrics (`reads`, `read_failures`, `gaps`).
    fn counters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_print_the_id_of_the_key_and_no_secret() {
        let secret = |text: &str| Arc::new(Zeroizing::new(text.to_owned()));
        let credentials = Credentials {
            access_key: "AKIA1".to_owned(),
            secret_key: secret("hunter2"),
            session_token: Some(secret("hunter3")),
        };
        let query = Query::Dns(DnsUpstream { name: "web".to_owned(), ..DnsUpstream::default() });
        let printed = format!("{:?}", EndpointRequest { query, credentials: Some(credentials) });
        assert!(printed.contains("AKIA1") && !printed.contains("hunter"), "{printed}");
    }
}
