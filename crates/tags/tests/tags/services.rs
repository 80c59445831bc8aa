//! Services for tests, and a table with the documents that it made.

use biplane_tags::finding::Finding;
use biplane_tags::service::{Instance, Service, ServiceId, SourceKind};
use biplane_tags::settings::Settings;
use biplane_tags::table::{Changes, Table};

use crate::envoy::Documents;

/// Settings with Biplane's own tags on.
pub(crate) fn own() -> Settings {
    let mut settings = Settings::default();
    settings.biplane.enabled = true;
    settings
}

/// A service of Nomad's namespace `default`.
pub(crate) fn id(name: &str) -> ServiceId {
    in_namespace("default", name)
}

pub(crate) fn in_namespace(namespace: &str, name: &str) -> ServiceId {
    ServiceId {
        source: SourceKind::Nomad,
        source_name: "prod".to_owned(),
        datacenter: "global".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// A healthy instance of version 1 with these own tags, exposed.
pub(crate) fn instance(id: &str, options: &[&str]) -> Instance {
    let tags = ["enable=true"].iter().chain(options).map(|option| format!("biplane.{option}"));
    Instance {
        id: id.to_owned(),
        node: "node".to_owned(),
        tags: tags.collect(),
        address: "10.0.0.1".to_owned(),
        port: 8080,
        healthy: true,
        canary: false,
        version: 1,
    }
}

/// A table and what came of it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) table: Table,
    pub(crate) documents: Documents,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut world = Self::starting(settings);
        world.table.settle();
        world
    }

    /// A world that does not know yet which services there are.
    pub(crate) fn starting(settings: Settings) -> Self {
        Self { table: Table::new(settings), documents: Documents::default() }
    }

    /// Sets a service with one instance of these own tags.
    pub(crate) fn tags(&mut self, id: &ServiceId, options: &[&str]) -> Changes {
        self.set(id, vec![instance("i-1", options)])
    }

    pub(crate) fn set(&mut self, id: &ServiceId, instances: Vec<Instance>) -> Changes {
        self.change(id, Some(&Service { id: id.clone(), instances }))
    }

    pub(crate) fn remove(&mut self, id: &ServiceId) -> Changes {
        self.change(id, None)
    }

    fn change(&mut self, id: &ServiceId, service: Option<&Service>) -> Changes {
        let changes = self.table.set(id, service);
        self.documents.apply(changes.clone());
        changes
    }

    pub(crate) fn findings(&self) -> Vec<&Finding> {
        self.table.findings().collect()
    }

    /// The only finding.
    pub(crate) fn finding(&self) -> &Finding {
        match self.findings().as_slice() {
            [finding] => finding,
            findings => panic!("one finding, not {findings:#?}"),
        }
    }
}
