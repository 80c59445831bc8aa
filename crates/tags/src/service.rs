//! What is known of a service: its identity, and its instances with their tags.

use std::fmt;

/// Where services are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// Nomad's own services.
    Nomad,
    /// Consul's catalog.
    Consul,
}

impl SourceKind {
    /// `nomad` or `consul`, as upstreams and settings spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nomad => "nomad",
            Self::Consul => "consul",
        }
    }
}

/// Which service it is. The order of these is the order in which equals are served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// The kind of the source.
    pub source: SourceKind,
    /// The source's name in the configuration.
    pub source_name: String,
    /// Consul's datacenter, Nomad's region.
    pub datacenter: String,
    /// The namespace; empty where the source has none.
    pub namespace: String,
    /// The service's name.
    pub name: String,
}

/// `nomad prod/dc1/default/web`: the source's kind and name, datacenter, namespace, service.
impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.source.as_str(), self.source_name, self.datacenter)?;
        if !self.namespace.is_empty() {
            write!(f, "/{}", self.namespace)?;
        }
        write!(f, "/{}", self.name)
    }
}

/// The names of the sources of services that are listed, as the annotation of a made object lists them.
pub fn sources(services: &str) -> impl Iterator<Item = &str> {
    services.split(", ").filter_map(source)
}

/// `prod` of `nomad prod/dc1/default/web`.
fn source(service: &str) -> Option<&str> {
    let (_, name) = service.split_once(' ')?;
    name.split_once('/').map(|(source, _)| source)
}

/// A service with all its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which one.
    pub id: ServiceId,
    /// Its instances.
    pub instances: Vec<Instance>,
}

/// One instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The source's id of it.
    pub id: String,
    /// The node that it runs on.
    pub node: String,
    /// Its tags, as given and in their order.
    pub tags: Vec<String>,
    /// Its address.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Whether it takes requests.
    pub healthy: bool,
    /// Whether the source says that it is a canary.
    pub canary: bool,
    /// The deployment that made it: the larger the newer.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_listed_services_are_found() {
        let id = |source, source_name: &str, namespace: &str| ServiceId {
            source,
            source_name: source_name.to_owned(),
            datacenter: String::new(),
            namespace: namespace.to_owned(),
            name: "web".to_owned(),
        };
        let listed = [id(SourceKind::Nomad, "prod", "default"), id(SourceKind::Consul, "my consul", "")];
        let listed = listed.map(|id| id.to_string()).join(", ");
        assert_eq!(listed, "nomad prod//default/web, consul my consul//web");
        assert_eq!(sources(&listed).collect::<Vec<_>>(), ["prod", "my consul"]);
        assert_eq!(sources("").count(), 0);
    }
}
